//! What a principal may do at a moment: the union of the roles that groups, subject and live grants give.

use std::sync::Arc;

use super::document::{AllowDeny, MaskStyle, Offered, Role};
use super::glob::{self, Glob};
use super::server::{Server, ServerGlob};
use super::taken::{Held, TakenPart};
use crate::identity::covers;

/// Why something is not allowed. The message names the role and the entry, or the roles of which none allows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A `deny` matched.
    #[error("{what} `{name}` is denied by role `{role}` (`{entry}` in its deny list)")]
    By {
        /// What it is, as in [`Denied::rule`].
        what: &'static str,
        /// Its name, cut to 100 characters.
        name: String,
        /// The role that denies.
        role: String,
        /// The entry of the role's list.
        entry: String,
    },
    /// No role allows it.
    #[error(
        "{what} `{name}` is allowed by none of your roles ({}){}; ask for a role or a grant that allows it",
        list(roles, withheld),
        taken_back(withheld)
    )]
    Nowhere {
        /// What it is.
        what: &'static str,
        /// Its name, cut to 100 characters.
        name: String,
        /// The roles that were asked.
        roles: Vec<String>,
        /// Roles of which an access review has taken something back, or all.
        withheld: Vec<String>,
    },
    /// The roles allow it, the token was made for less.
    #[error(
        "{what} `{name}` is not among the scopes of your token; get a token with a scope that includes it"
    )]
    Narrowed {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A server's URL that readers may take for different places.
    #[error(
        "{what} `{name}` is not written plainly; use an http(s) URL without a user part, dot segments or encoded signs"
    )]
    Unplain {
        /// What it is.
        what: &'static str,
        /// Its name, cut to 100 characters.
        name: String,
    },
}

impl Denied {
    /// The role that denies, where one does.
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::By { role, .. } => Some(role),
            _ => None,
        }
    }

    /// A short code for records: `scope`, `model`, `tool`, `server_tool`, `mcp_server`, `beta`.
    pub fn rule(&self) -> &'static str {
        let (Self::By { what, .. }
        | Self::Nowhere { what, .. }
        | Self::Narrowed { what, .. }
        | Self::Unplain { what, .. }) = self;
        what
    }
}

/// What allows something: a role, and the entry in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed<'r> {
    /// The role.
    pub role: &'r str,
    /// The entry; `None`: the list is absent and its default is everything.
    pub entry: Option<&'r str>,
}

/// A role, compiled.
#[derive(Debug)]
pub(super) struct CompiledRole {
    name: String,
    scopes: Vec<Glob>,
    models: Vec<Glob>,
    tools: Lists<Glob>,
    server_tools: Lists<Glob>,
    mcp_servers: Lists<ServerGlob>,
    betas: Lists<Glob>,
    max_tokens: Option<u64>,
    thinking_budget: Option<u64>,
    masks: RoleMasks,
    /// Those of its masks that can make nothing looser.
    redactions: RoleMasks,
    offered: Offered,
}

/// What one role says about masks: globs over kinds, and the mask of what they fit.
pub type RoleMasks = Vec<(String, MaskStyle)>;

/// `allow` and `deny`; `allow: None` is anything.
#[derive(Debug)]
struct Lists<G> {
    allow: Option<Vec<G>>,
    deny: Vec<G>,
}

/// A place in a role, below `roles[n]`, and what is wrong there.
pub(super) type Wrong = (String, String);

impl CompiledRole {
    /// Compiles a role; the error names the first list entry that is wrong.
    pub fn new(role: &Role) -> Result<Self, Wrong> {
        let server = |text: &str| ServerGlob::new(text);
        Ok(Self {
            name: role.name.clone(),
            scopes: compile("scopes", &role.scopes, glob)?,
            models: compile("models", &role.models, glob)?,
            tools: lists("tools", &role.tools, true, glob)?,
            server_tools: lists("serverTools", &role.server_tools, false, glob)?,
            mcp_servers: lists("mcpServers", &role.mcp_servers, false, server)?,
            betas: lists("betas", &role.betas, true, glob)?,
            max_tokens: role.max_tokens,
            thinking_budget: role.thinking_budget,
            masks: role_masks(role),
            redactions: {
                let mut masks = role_masks(role);
                masks.retain(|(_, style)| *style == MaskStyle::Redact);
                masks
            },
            offered: role.offered,
        })
    }
}

/// What a role says about masks.
pub fn role_masks(role: &Role) -> RoleMasks {
    let off = role.unmasked.iter().map(|kind| (kind.clone(), MaskStyle::Off));
    off.chain(role.masks.iter().map(|(kind, style)| (kind.clone(), *style))).collect()
}

fn glob(text: &str) -> Result<Glob, String> {
    Glob::new(text).map_err(|e| e.to_string())
}

fn compile<G>(
    field: &str,
    texts: &[String],
    one: impl Fn(&str) -> Result<G, String>,
) -> Result<Vec<G>, Wrong> {
    texts
        .iter()
        .enumerate()
        .map(|(n, text)| one(text).map_err(|why| (format!("{field}[{n}]"), why)))
        .collect()
}

fn lists<G>(
    field: &str,
    lists: &AllowDeny,
    all_by_default: bool,
    one: impl Fn(&str) -> Result<G, String>,
) -> Result<Lists<G>, Wrong> {
    let allow = match &lists.allow {
        Some(allow) => Some(compile(&format!("{field}.allow"), allow, &one)?),
        None if all_by_default => None,
        None => Some(Vec::new()),
    };
    Ok(Lists { allow, deny: compile(&format!("{field}.deny"), &lists.deny, &one)? })
}

/// What a principal may do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rights {
    roles: Vec<Held>,
    /// The scopes of the token, where it narrows.
    scopes: Option<Vec<String>>,
    /// Roles that bindings give and of which an access review has taken something back.
    withheld: Vec<String>,
    /// Those of which it has taken all. They give nothing, and what they deny stays denied: a review never gives.
    denying: Vec<Arc<CompiledRole>>,
}

impl Rights {
    pub(super) fn new(
        roles: Vec<Held>,
        scopes: Option<Vec<String>>,
        withheld: Vec<String>,
        denying: Vec<Arc<CompiledRole>>,
    ) -> Self {
        Self { roles, scopes, withheld, denying }
    }

    /// The roles that deny.
    fn all(&self) -> impl Iterator<Item = &CompiledRole> {
        self.compiled().chain(self.denying.iter().map(|role| &**role))
    }

    fn compiled(&self) -> impl Iterator<Item = &CompiledRole> {
        self.roles.iter().map(|held| &*held.role)
    }

    /// The roles, by name, in the policy's order.
    pub fn roles(&self) -> Vec<&str> {
        self.compiled().map(|role| role.name.as_str()).collect()
    }

    /// The roles that an exchange uses: those that give one of its scopes and, where it names one, the model. Several
    /// that give the same are all used.
    pub fn used(&self, scopes: &[&str], model: Option<&str>) -> Vec<&str> {
        let uses = |held: &&Held| {
            let gives = |list: &[Glob], taken: fn(&TakenPart) -> &[Glob], name: &str| {
                glob::first(list, name).is_some() && !held.lacks(taken, &[name])
            };
            scopes.iter().any(|scope| gives(&held.role.scopes, |part| &part.scopes, scope))
                && model.is_none_or(|model| gives(&held.role.models, |part| &part.models, model))
        };
        self.roles.iter().filter(uses).map(|held| held.role.name.as_str()).collect()
    }

    /// Whether the scope (`messages.create`) is given; see [`Rights::check_scope`].
    pub fn scope(&self, scope: &str) -> bool {
        self.check_scope(scope).is_ok()
    }

    /// A scope needs a role that gives it and, where the token carries scopes, one of those too: the scope itself
    /// or a group (`batches.*`).
    ///
    /// # Errors
    /// [`Denied`].
    pub fn check_scope(&self, scope: &str) -> Result<Allowed<'_>, Denied> {
        let allowed = self
            .first(|role| &role.scopes, |part| &part.scopes, scope)
            .ok_or_else(|| self.nowhere("scope", scope))?;
        match &self.scopes {
            Some(scopes) if !scopes.iter().any(|own| covers(own, scope)) => {
                Err(Denied::Narrowed { what: "scope", name: cut(scope) })
            }
            _ => Ok(allowed),
        }
    }

    /// Whether the model may be used.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn model(&self, model: &str) -> Result<Allowed<'_>, Denied> {
        self.first(|role| &role.models, |part| &part.models, model)
            .ok_or_else(|| self.nowhere("model", model))
    }

    /// Whether the tool may be offered to the model and called by it.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn tool(&self, tool: &str) -> Result<Allowed<'_>, Denied> {
        self.listed("tool", &[tool], |role| &role.tools, |glob| glob.matches(tool), Glob::as_str)
    }

    /// Whether a tool that runs at the provider may be used, by its `type`: `web_search_20250305` is asked for
    /// under this name and without its date.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn server_tool(&self, tool: &str) -> Result<Allowed<'_>, Denied> {
        let plain = undated(tool);
        let fits = |glob: &Glob| glob.matches(tool) || glob.matches(plain);
        self.listed("server_tool", &[tool, plain], |role| &role.server_tools, fits, Glob::as_str)
    }

    /// Whether the MCP server at this URL may be used.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn mcp_server(&self, url: &str) -> Result<Allowed<'_>, Denied> {
        let Some(server) = Server::read(url) else {
            return Err(Denied::Unplain { what: "mcp_server", name: cut(url) });
        };
        let fits = |glob: &ServerGlob| glob.matches(&server);
        self.listed("mcp_server", &[url], |role| &role.mcp_servers, fits, ServerGlob::as_str)
    }

    /// Whether the `anthropic-beta` value may be sent.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn beta(&self, beta: &str) -> Result<Allowed<'_>, Denied> {
        self.listed("beta", &[beta], |role| &role.betas, |glob| glob.matches(beta), Glob::as_str)
    }

    /// The largest `max_tokens`: the largest among the roles; `None`: no limit, since a role has none.
    pub fn max_tokens(&self) -> Option<u64> {
        self.largest(|role| role.max_tokens)
    }

    /// The largest `thinking.budget_tokens`, likewise.
    pub fn thinking_budget(&self) -> Option<u64> {
        self.largest(|role| role.thinking_budget)
    }

    /// The role by which [`Rights::max_tokens`] is what it is.
    pub fn max_tokens_role(&self) -> Option<&str> {
        self.role_with(|role| role.max_tokens)
    }

    /// The role by which [`Rights::thinking_budget`] is what it is.
    pub fn thinking_budget_role(&self) -> Option<&str> {
        self.role_with(|role| role.thinking_budget)
    }

    /// What the roles say about masks, one after the other; see [`Masker::profile`](crate::mask::Masker::profile).
    pub fn masks(&self) -> impl Iterator<Item = &RoleMasks> {
        let withheld = self.denying.iter().map(|role| &role.redactions);
        self.compiled().map(|role| &role.masks).chain(withheld)
    }

    /// Whether a request that offers what is not allowed is refused as a whole.
    pub fn refuses_offers(&self) -> bool {
        self.all().any(|role| role.offered == Offered::Refuse)
    }

    fn largest(&self, limit: impl Fn(&CompiledRole) -> Option<u64>) -> Option<u64> {
        // Without a role nothing is allowed, and not everything.
        self.compiled().try_fold(0, |largest, role| limit(role).map(|limit| limit.max(largest)))
    }

    fn role_with(&self, limit: impl Fn(&CompiledRole) -> Option<u64>) -> Option<&str> {
        let most = self.largest(&limit);
        self.compiled().find(|role| limit(role) == most).map(|role| role.name.as_str())
    }

    /// The first entry of a list without a `deny` that the name fits.
    fn first(
        &self,
        list: impl Fn(&CompiledRole) -> &[Glob],
        taken: impl Fn(&TakenPart) -> &[Glob],
        name: &str,
    ) -> Option<Allowed<'_>> {
        self.roles.iter().find_map(|held| {
            let entry = glob::first(list(&held.role), name)?;
            let allowed = Allowed { role: &held.role.name, entry: Some(entry.as_str()) };
            (!held.lacks(&taken, &[name])).then_some(allowed)
        })
    }

    /// `names`: the spellings under which it goes, the first as it was asked for.
    fn listed<G: 'static>(
        &self,
        what: &'static str,
        names: &[&str],
        lists: impl Fn(&CompiledRole) -> &Lists<G>,
        fits: impl Fn(&G) -> bool,
        text: impl Fn(&G) -> &str,
    ) -> Result<Allowed<'_>, Denied> {
        let name = names.first().copied().unwrap_or_default();
        for role in self.all() {
            if let Some(entry) = lists(role).deny.iter().find(|glob| fits(glob)) {
                let (role, entry) = (role.name.clone(), text(entry).to_owned());
                return Err(Denied::By { what, name: cut(name), role, entry });
            }
        }
        let is_tool = matches!(what, "tool" | "server_tool");
        for held in self.roles.iter().filter(|held| !(is_tool && held.lacks(|part| &part.tools, names))) {
            let role = &held.role;
            let Some(allow) = &lists(role).allow else {
                return Ok(Allowed { role: &role.name, entry: None });
            };
            if let Some(entry) = allow.iter().find(|glob| fits(glob)) {
                return Ok(Allowed { role: &role.name, entry: Some(text(entry)) });
            }
        }
        Err(self.nowhere(what, name))
    }

    fn nowhere(&self, what: &'static str, name: &str) -> Denied {
        let roles = self.compiled().map(|role| role.name.clone()).collect();
        Denied::Nowhere { what, name: cut(name), roles, withheld: self.withheld.clone() }
    }
}

/// A tool's type without the date at its end.
pub(crate) fn undated(tool: &str) -> &str {
    match tool.rsplit_once('_') {
        Some((name, date)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => tool,
    }
}

fn cut(name: &str) -> String {
    name.chars().take(100).collect()
}

fn list(roles: &[String], withheld: &[String]) -> String {
    match (roles.is_empty(), withheld.is_empty()) {
        (false, _) => roles.join(", "),
        (true, true) => "you have none: none of your groups is bound to one".into(),
        (true, false) => "you have none".into(),
    }
}

fn taken_back(withheld: &[String]) -> String {
    if withheld.is_empty() {
        return String::new();
    }
    format!(", and of {} an access review has taken back what you had", withheld.join(", "))
}
