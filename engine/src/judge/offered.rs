//! What a request offers the model: tools, server tools and MCP servers that no role allows are taken out, or the
//! request is refused.
//!
//! What is taken out depends on the roles alone, so each turn of a conversation loses the same entries: prompt caches
//! and the signatures of thinking blocks, which bind to `tools`, hold. Every byte that is not taken out stays.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::digest::is_cache_mark;
use super::request::unreadable;
use super::{Case, Refusal, decision};
use crate::claude::error::ErrorKind;
use crate::json::{Kind, Splices, Value};
use crate::policy::document::Action;
use crate::policy::rights::{Denied, undated};
use crate::record::Decision;

/// Entries of one request of which the record says that they were left out; agents offer some dozens of tools.
const NOTED: usize = 200;

/// What is offered and not allowed.
struct Unwanted<'d, 'a> {
    /// Entries of `tools`.
    tools: Vec<(Value<'d, 'a>, String)>,
    /// Entries of `mcp_servers`.
    servers: Vec<(Value<'d, 'a>, String)>,
}

impl Case {
    /// Checks what a request offers; adds to `splices` what takes out the entries that are not allowed.
    pub(super) fn check_offered(
        &mut self,
        root: Value<'_, '_>,
        splices: &mut Splices,
    ) -> Result<(), Refusal> {
        let refuses = self.rights.refuses_offers();
        let mut unwanted = Unwanted { tools: Vec::new(), servers: Vec::new() };
        let mut decisions = Vec::new();
        let mut not_allowed = |name: &str, denied: &Denied| {
            if refuses {
                return Err(Refusal::denied(denied));
            }
            if decisions.len() < NOTED {
                decisions.push(Decision {
                    tool: Some(name.to_owned()),
                    role: denied.role().map(str::to_owned),
                    left_out: true,
                    ..decision(denied.rule(), Action::Deny)
                });
            }
            Ok(())
        };
        for server in items(root, "mcp_servers") {
            let url =
                server.str("url").ok_or_else(|| unreadable("an entry of `mcp_servers` has no `url`"))?;
            if let Err(denied) = self.checked("mcp_server", &url, self.rights.mcp_server(&url)) {
                not_allowed(&url, &denied)?;
                unwanted.servers.push((server, server.str("name").unwrap_or_default().into_owned()));
            }
        }
        let gone: BTreeSet<String> = unwanted.servers.iter().map(|(_, name)| name.clone()).collect();
        for tool in items(root, "tools") {
            // A tool that runs at the provider can name a model of its own (the advisor).
            if let Some(model) = tool.str("model") {
                self.check_model(&model)?;
            }
            if let Some((name, denied)) = self.offer(tool)? {
                not_allowed(&name, &denied)?;
                unwanted.tools.push((tool, name));
            } else if let Some(server) = tool.str("mcp_server_name")
                && gone.contains(server.as_ref())
            {
                unwanted.tools.push((tool, server.into_owned()));
            }
        }
        self.decisions.extend(decisions);
        unwanted.check_choice(root, splices)?;
        unwanted.take_out(root, splices);
        Ok(())
    }

    /// Name of the tool in an entry of `tools`, and why it is not allowed; `None`: it is.
    fn offer(&self, tool: Value<'_, '_>) -> Result<Option<(String, Denied)>, Refusal> {
        let kind = tool.str("type").unwrap_or(Cow::Borrowed("custom"));
        let name = tool.str("name");
        let denied = match undated(&kind) {
            "custom" | "bash" | "text_editor" | "computer" | "memory" => {
                let name = name.as_deref().ok_or_else(|| unreadable("a tool has no `name`"))?;
                self.checked("tool", name, self.rights.tool(name)).err()
            }
            // Its server stands in `mcp_servers`, where its URL is checked.
            "mcp_toolset" => None,
            _ => self.checked("server_tool", &kind, self.rights.server_tool(&kind)).err(),
        };
        Ok(denied.map(|denied| (name.unwrap_or(kind).into_owned(), denied)))
    }
}

impl Unwanted<'_, '_> {
    /// A choice of a tool that is taken out cannot be met; one without any tool left is refused by the API, so a
    /// choice that asks for nothing goes with the last tool.
    fn check_choice(&self, root: Value<'_, '_>, splices: &mut Splices) -> Result<(), Refusal> {
        let Some(choice) = root.get("tool_choice") else { return Ok(()) };
        let name = choice.str("name");
        let gone = self.tools.iter().find(|(_, own)| name.as_ref().is_some_and(|name| name == own));
        let none_left = !self.tools.is_empty() && items(root, "tools").count() == self.tools.len();
        let demands = !choice.get("type").is_some_and(|kind| kind.is("auto") || kind.is("none"));
        if gone.is_some() || none_left && demands {
            let what = gone.map_or("a tool", |(_, name)| name.as_str());
            let message = format!(
                "`tool_choice` demands {what}, and none of your roles allows it; leave the choice to the model, or ask for a role that allows the tool"
            );
            return Err(Refusal::new(ErrorKind::Permission, "tool", message));
        }
        if none_left {
            take_out_entries(root, |key| key.is("tool_choice"), splices);
        }
        Ok(())
    }

    fn take_out(&self, root: Value<'_, '_>, splices: &mut Splices) {
        let starts = |list: &[(Value<'_, '_>, String)]| -> BTreeSet<usize> {
            list.iter().map(|(gone, _)| gone.span().start).collect()
        };
        let (tools, servers) = (starts(&self.tools), starts(&self.servers));
        take_out_items(root.get("mcp_servers"), |item| servers.contains(&item.span().start), splices);
        take_out_items(root.get("tools"), |item| tools.contains(&item.span().start), splices);
        move_cache_marks(items(root, "tools"), |item| tools.contains(&item.span().start), splices);
    }
}

fn items<'d, 'a>(root: Value<'d, 'a>, list: &str) -> impl Iterator<Item = Value<'d, 'a>> {
    root.get(list).into_iter().flat_map(Value::items)
}

/// Takes items out of an array, each with the comma that would be left over.
pub(super) fn take_out_items<'d, 'a: 'd>(
    array: Option<Value<'d, 'a>>,
    gone: impl Fn(Value<'d, 'a>) -> bool,
    splices: &mut Splices,
) {
    let all: Vec<_> = array.into_iter().flat_map(Value::items).collect();
    take_out(all.iter().map(|item| (item.span(), gone(*item))).collect(), splices);
}

/// Takes entries out of an object, by their keys.
pub(super) fn take_out_entries<'d, 'a: 'd>(
    object: Value<'d, 'a>,
    gone: impl Fn(Value<'d, 'a>) -> bool,
    splices: &mut Splices,
) {
    let spans = object.entries().map(|(key, value)| (key.span().start..value.span().end, gone(key)));
    take_out(spans.collect(), splices);
}

/// `all`: the spans of what stands between commas, and whether it goes.
fn take_out(all: Vec<(std::ops::Range<usize>, bool)>, splices: &mut Splices) {
    let mut kept = false;
    for (n, (span, gone)) in all.iter().enumerate() {
        if !gone {
            kept = true;
            continue;
        }
        // With something kept before it, it goes from the end of its forerunner; else up to the start of the next.
        let before = n.checked_sub(1).and_then(|n| all.get(n)).filter(|_| kept);
        let after = all.get(n + 1).filter(|_| !kept);
        let start = before.map_or(span.start, |(before, _)| before.end);
        let end = after.map_or(span.end, |(after, _)| after.start);
        splices.replace(start..end, String::new());
    }
}

/// A cache breakpoint on a tool that goes moves to the last tool that stays before it: what stands before it in the
/// prompt is then cached as it was meant to be.
fn move_cache_marks<'d, 'a: 'd>(
    tools: impl Iterator<Item = Value<'d, 'a>>,
    gone: impl Fn(Value<'d, 'a>) -> bool,
    splices: &mut Splices,
) {
    let mut last: Option<Value<'d, 'a>> = None;
    for tool in tools {
        if !gone(tool) {
            last = Some(tool);
            continue;
        }
        // Only what the API takes for a mark: it is copied as written.
        let mark = tool.get("cache_control").filter(|mark| mark.kind() == Kind::Object);
        let Some(mark) = mark.filter(|mark| is_cache_mark("cache_control", *mark)) else { continue };
        let Some(heir) = last.take_if(|heir| heir.get("cache_control").is_none()) else { continue };
        if let Some((_, value)) = heir.entries().last() {
            let end = value.span().end;
            splices.replace(end..end, format!(",\"cache_control\":{}", mark.raw()));
        }
    }
}

#[cfg(test)]
mod tests;
