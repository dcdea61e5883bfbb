//! Lists of tools: what a caller may not use, what nobody has approved, and what rules keep from the model is not in
//! them.

use std::collections::BTreeSet;

use super::super::offered::take_out_items;
use super::super::{Case, decision};
use super::reply::Judgement;
use crate::json::{Splices, Value};
use crate::mcp::text;
use crate::policy::document::Action;
use crate::record::Decision;
use crate::wire::ToolsSeen;

/// How many tools of a list are looked at: each may mean a hold and a decision in the record.
pub(super) const MAX_TOOLS: usize = 500;

impl Case {
    /// Takes out of a list the tools that the roles do not allow, that nobody has approved, or whose definition a rule
    /// would keep from the model; also those without a name, those whose name stood there before, and those beyond
    /// [`MAX_TOOLS`].
    ///
    /// # Errors
    /// What control is to be asked first.
    pub(super) fn filter_tools(
        &mut self,
        tools: Value<'_, '_>,
        splices: &mut Splices,
    ) -> Result<(), Box<ToolsSeen>> {
        let Some(server) = self.mcp_server() else { return Ok(()) };
        let mut names = BTreeSet::new();
        let first =
            |item: &Value<'_, '_>| item.str("name").is_some_and(|name| names.insert(name.into_owned()));
        let mut named: Vec<_> = tools.items().filter(first).collect();
        let too_many = named.len() > MAX_TOOLS;
        named.truncate(MAX_TOOLS);
        let unapproved = self.unapproved(&named)?;
        if too_many {
            self.decisions.push(Decision {
                tool: Some(server.tool("*")),
                left_out: true,
                ..decision("tool", Action::Deny)
            });
        }
        // By where they start: a server may list many.
        let mut kept = BTreeSet::new();
        for item in named {
            let Some(name) = item.str("name") else { continue };
            let tool = server.tool(&name);
            let stays = if let Err(denied) = self.checked("tool", &tool, self.rights.tool(&tool)) {
                self.note_denied(&denied, &tool);
                false
            } else if unapproved.contains(name.as_ref()) {
                self.note_unapproved(&tool);
                false
            } else {
                match self.judge_told(item, &mut text::of(item), Some(tool)) {
                    Ok(()) => true,
                    Err(Judgement::Refused(refusal)) => {
                        self.note(&refusal);
                        false
                    }
                    // Nobody waits for a list; the hold is noted, and the tool is not there.
                    Err(Judgement::Held(_)) => false,
                }
            };
            if stays {
                kept.insert(item.span().start);
            }
        }
        take_out_items(Some(tools), |item| !kept.contains(&item.span().start), splices);
        Ok(())
    }
}
