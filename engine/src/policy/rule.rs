//! Rules, compiled, and what they are matched against.

use std::borrow::Cow;

use super::document::{Action, Approval, Part, Rule, When};
use super::glob::{self, Glob, globs};
use super::pattern::Found;
use super::rights::{Wrong, undated};
use super::server::{Server, ServerGlob};
use crate::command::Effect;
use crate::target::{FilePath, Host, HostGlob, PathGlob, Targets};

/// What a request asks for as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// The names and types of its `tools`.
    pub tools: Vec<String>,
    /// The URLs of its `mcp_servers`.
    pub servers: Vec<String>,
    /// Its betas, from headers and body.
    pub betas: Vec<String>,
}

/// What is known of one part of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Which part.
    pub part: Part,
    /// The route's name.
    pub route: &'a str,
    /// The principal's groups.
    pub groups: &'a [String],
    /// The model, where the request names one.
    pub model: Option<&'a str>,
    /// The part's text; `None` for a tool call.
    pub text: Option<&'a str>,
    /// The tool that is called, or that gave the result.
    pub tool: Option<&'a str>,
    /// Every string in the input of a tool call, keys included where they can carry text.
    pub input_strings: &'a [Cow<'a, str>],
    /// The kinds of the findings in the part.
    pub findings: &'a [&'a str],
    /// The effects of the commands in the input of a tool call.
    pub effects: &'a [Effect],
    /// The files and hosts that a tool call names; `None`: it was not asked for, or the part is no tool call.
    pub targets: Option<&'a Targets>,
    /// What the request asks for; only for a request as a whole.
    pub offer: Option<&'a Offer>,
    /// How large the part is, in bytes: its text, the JSON of a call's input, or of a request.
    pub size: usize,
}

/// A rule, compiled.
#[derive(Debug)]
pub struct CompiledRule {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// What the caller reads.
    pub message: String,
    /// Who may approve; always there when the action is hold.
    pub approval: Option<Approval>,
    /// Whether it is only reported.
    pub observe: bool,
    /// The parts that it looks at.
    pub parts: Vec<Part>,
    routes: Vec<Glob>,
    groups: Vec<String>,
    models: Vec<Glob>,
    tools: Vec<Glob>,
    findings: Vec<Glob>,
    /// As written: an effect that was not understood matches only where `unknown` is listed.
    effects: Vec<Effect>,
    paths: Listed<PathGlob>,
    hosts: Listed<HostGlob>,
    larger_than: Option<u64>,
    tools_offered: Vec<Glob>,
    mcp_servers: Vec<ServerGlob>,
    betas: Vec<Glob>,
    /// Number of the pattern for texts.
    text: Option<usize>,
    /// Number of the pattern for inputs.
    input: Option<usize>,
}

impl CompiledRule {
    /// Compiles a rule; its patterns are appended to `texts` and `inputs`, to be compiled together.
    pub(super) fn new<'r>(
        rule: &'r Rule,
        texts: &mut Vec<&'r str>,
        inputs: &mut Vec<&'r str>,
    ) -> Result<Self, Wrong> {
        let list = |field: &str, texts: &[String]| {
            globs(texts).map_err(|(n, why)| (format!("when.{field}[{n}]"), why.to_string()))
        };
        let when = &rule.when;
        let message = rule.message.clone().unwrap_or_else(|| match rule.action {
            Action::Allow => format!("rule `{}` allows this", rule.name),
            Action::Hold => format!("rule `{}` asks for the approval of a reviewer first", rule.name),
            Action::Deny => format!("rule `{}` does not allow this", rule.name),
        });
        let number = |patterns: &mut Vec<&'r str>, pattern: &'r Option<String>| {
            pattern.as_ref().map(|pattern| {
                patterns.push(pattern);
                patterns.len() - 1
            })
        };
        Ok(Self {
            name: rule.name.clone(),
            action: rule.action,
            message,
            approval: rule.approval.clone(),
            observe: rule.observe,
            parts: parts(rule),
            routes: list("routes", &when.routes)?,
            groups: when.groups.clone(),
            models: list("models", &when.models)?,
            tools: list("tools", &when.tools)?,
            findings: list("findings", &when.findings)?,
            effects: when.effects.clone(),
            paths: Listed {
                among: each("paths", &when.paths, PathGlob::new)?,
                except: each("pathsExcept", &when.paths_except, PathGlob::new)?,
            },
            hosts: Listed {
                among: each("hosts", &when.hosts, HostGlob::new)?,
                except: each("hostsExcept", &when.hosts_except, HostGlob::new)?,
            },
            larger_than: when.larger_than,
            tools_offered: list("toolsOffered", &when.tools_offered)?,
            mcp_servers: each("mcpServers", &when.mcp_servers, ServerGlob::new)?,
            betas: list("betas", &when.betas)?,
            text: number(texts, &when.text),
            input: number(inputs, &when.input),
        })
    }

    pub(super) fn asks_for_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    pub(super) fn asks_for_targets(&self) -> bool {
        self.paths.is_given() || self.hosts.is_given()
    }

    /// Whether its answer depends on how large a part is.
    pub fn asks_for_size(&self) -> bool {
        self.larger_than.is_some()
    }

    /// Whether a call names a file that the rule is about.
    fn names_paths(&self, targets: Option<&Targets>) -> bool {
        let named = |path: &FilePath| {
            // A word of a command with a slash in it may be anything: it counts where it is asked for, and not for
            // being something else.
            let among = if self.paths.among.is_empty() {
                !path.is_in_command()
            } else {
                path.may_be(&self.paths.among)
            };
            among && !path.is(&self.paths.except)
        };
        !self.paths.is_given() || targets.is_some_and(|targets| targets.paths().iter().any(named))
    }

    /// Whether a call names a host that the rule is about.
    fn names_hosts(&self, targets: Option<&Targets>) -> bool {
        let named = |host: &Host| {
            // Likewise a word with a dot in it.
            let among =
                if self.hosts.among.is_empty() { !host.is_bare() } else { host.may_be(&self.hosts.among) };
            among && !host.is(&self.hosts.except)
        };
        !self.hosts.is_given() || targets.is_some_and(|targets| targets.hosts().iter().any(named))
    }

    fn offers_tools(&self, offer: Option<&Offer>) -> bool {
        let fits = |name: &String| {
            let fits = |name| glob::first(&self.tools_offered, name).is_some();
            fits(name) || fits(undated(name))
        };
        self.tools_offered.is_empty() || offer.is_some_and(|offer| offer.tools.iter().any(fits))
    }

    fn brings_servers(&self, offer: Option<&Offer>) -> bool {
        // A URL that readers may take for different places could be any server.
        let fits = |url: &String| {
            Server::read(url).is_none_or(|server| self.mcp_servers.iter().any(|glob| glob.matches(&server)))
        };
        self.mcp_servers.is_empty() || offer.is_some_and(|offer| offer.servers.iter().any(fits))
    }

    fn asks_for_betas(&self, offer: Option<&Offer>) -> bool {
        let fits = |beta: &String| glob::first(&self.betas, beta).is_some();
        self.betas.is_empty() || offer.is_some_and(|offer| offer.betas.iter().any(fits))
    }

    /// Whether every condition holds. `text` and `input` say which patterns were found in the part.
    pub(super) fn matches(&self, facts: &Facts<'_>, text: &Found, input: &Found) -> bool {
        self.unmet(facts, text, input).is_none()
    }

    /// The first condition that does not hold, as it is named below `when`; `None`: the rule matches.
    pub(super) fn unmet(&self, facts: &Facts<'_>, text: &Found, input: &Found) -> Option<&'static str> {
        let any = |globs: &[Glob], name: Option<&str>| {
            globs.is_empty() || name.is_some_and(|name| glob::first(globs, name).is_some())
        };
        let groups =
            || self.groups.is_empty() || self.groups.iter().any(|group| facts.groups.contains(group));
        let findings =
            || self.findings.is_empty() || facts.findings.iter().any(|kind| any(&self.findings, Some(kind)));
        let effects =
            || self.effects.is_empty() || self.effects.iter().any(|effect| facts.effects.contains(effect));
        let larger = || self.larger_than.is_none_or(|most| facts.size as u64 > most);
        let unless = |holds: bool, name: &'static str| if holds { None } else { Some(name) };
        // Each is asked only where those before it hold: most rules are about another part.
        unless(self.parts.contains(&facts.part), "part")
            .or_else(|| unless(any(&self.routes, Some(facts.route)), "routes"))
            .or_else(|| unless(groups(), "groups"))
            .or_else(|| unless(any(&self.models, facts.model), "models"))
            .or_else(|| unless(any(&self.tools, facts.tool), "tools"))
            .or_else(|| unless(findings(), "findings"))
            .or_else(|| unless(effects(), "effects"))
            .or_else(|| unless(self.names_paths(facts.targets), "paths"))
            .or_else(|| unless(self.names_hosts(facts.targets), "hosts"))
            .or_else(|| unless(self.offers_tools(facts.offer), "toolsOffered"))
            .or_else(|| unless(self.brings_servers(facts.offer), "mcpServers"))
            .or_else(|| unless(self.asks_for_betas(facts.offer), "betas"))
            .or_else(|| unless(larger(), "largerThan"))
            .or_else(|| unless(self.text.is_none_or(|number| text.has(number)), "text"))
            .or_else(|| unless(self.input.is_none_or(|number| input.has(number)), "input"))
    }
}

/// What a condition is about, but for the exceptions. Exceptions alone: everything else.
#[derive(Debug)]
struct Listed<G> {
    among: Vec<G>,
    except: Vec<G>,
}

impl<G> Listed<G> {
    fn is_given(&self) -> bool {
        !self.among.is_empty() || !self.except.is_empty()
    }
}

/// Compiles each entry of a list; the error names its place.
fn each<G>(field: &str, texts: &[String], one: impl Fn(&str) -> Result<G, String>) -> Result<Vec<G>, Wrong> {
    let one = |(n, text): (usize, &String)| one(text).map_err(|why| (format!("when.{field}[{n}]"), why));
    texts.iter().enumerate().map(one).collect()
}

/// The parts that a rule looks at: those it names; else requests as a whole or tool calls where a condition is about
/// them, else prompts and tool results.
pub fn parts(rule: &Rule) -> Vec<Part> {
    let when = &rule.when;
    if !when.part.is_empty() {
        when.part.clone()
    } else if is_about_requests(when) {
        vec![Part::Request]
    } else if !when.tools.is_empty() || is_about_calls(when) {
        vec![Part::ToolCall]
    } else {
        vec![Part::Prompt, Part::ToolResult]
    }
}

/// Whether a condition holds for tool calls alone.
pub(super) fn is_about_calls(when: &When) -> bool {
    let lists = [&when.paths, &when.paths_except, &when.hosts, &when.hosts_except];
    when.input.is_some() || !when.effects.is_empty() || lists.iter().any(|list| !list.is_empty())
}

/// Whether a condition holds for requests as a whole alone.
pub(super) fn is_about_requests(when: &When) -> bool {
    [&when.tools_offered, &when.mcp_servers, &when.betas].iter().any(|list| !list.is_empty())
}

/// What the rules say about a part.
#[derive(Debug)]
pub struct Outcome<'c> {
    /// What happens; allow when no rule matched.
    pub action: Action,
    /// The rule that decided: the first in the policy's order among those with this action.
    pub rule: Option<&'c CompiledRule>,
    /// When the action is hold: all rules that hold, in order. Each names its own approvers, so each must be settled.
    pub holds: Vec<&'c CompiledRule>,
    /// Rules that matched and only observe.
    pub observed: Vec<&'c CompiledRule>,
}
