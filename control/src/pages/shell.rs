//! The frame around every page: who looks, where they can go, light or dark.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use sluice_engine::identity::Lineage;

use super::failure::Failure;
use super::form::Form;
use crate::http::{self, Control, Person};

/// The cookie that keeps light or dark. It says nothing about anyone.
const THEME: &str = "sluice_theme";

/// What every page shows around its own.
pub struct Shell {
    /// The page's title.
    pub title: String,
    /// `light`, `dark`, or empty: as the system has it.
    pub theme: &'static str,
    /// Where the pages lead that this person may use.
    pub links: Vec<Link>,
    /// The pages of this section, where it has several.
    pub tabs: Vec<Link>,
    /// Who looks.
    pub subject: String,
    /// Their groups.
    pub groups: String,
    /// The page's own path and query.
    pub here: String,
    /// What each form carries, to show that this page has sent it.
    pub csrf: String,
}

/// A page in the navigation.
pub struct Link {
    /// Where.
    pub href: &'static str,
    /// How it is called.
    pub label: &'static str,
    /// Whether it is this one.
    pub here: bool,
}

/// Someone who looks at a page.
pub struct Visitor {
    /// Who.
    pub person: Person,
    /// What the visit rests on.
    pub lineage: Lineage,
    /// What forms of their pages carry.
    pub csrf: String,
    theme: &'static str,
    here: String,
}

impl FromRequestParts<Arc<Control>> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, Failure> {
        let visitor = http::Visitor::from_request_parts(parts, control).await?;
        Ok(Self::new(visitor, &parts.headers, &parts.uri))
    }
}

impl Visitor {
    /// Somebody who is signed in, and how they want pages to look.
    pub fn new(visitor: http::Visitor, headers: &HeaderMap, uri: &Uri) -> Self {
        let here = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let http::Visitor { person, lineage, csrf } = visitor;
        Self { person, lineage, csrf, theme: chosen(headers), here }
    }

    /// The frame of a page in this section.
    pub fn shell(&self, control: &Control, title: impl Into<String>, section: &str) -> Shell {
        let auditor = self.person.is_auditor(control);
        let operator = self.person.is_operator(control);
        let pages = [
            ("/holds", "Holds", true),
            ("/sessions", "Sessions", auditor),
            ("/overview", "Overview", auditor || operator),
            ("/access", "Access", true),
            ("/policy", "Policy", auditor || operator || self.person.is_author(control)),
            ("/fleet", "Fleet", auditor || operator),
        ];
        let links = pages.into_iter().filter(|(.., seen)| *seen);
        Shell {
            title: title.into(),
            theme: self.theme,
            links: links.map(|(href, label, _)| Link { href, label, here: href == section }).collect(),
            tabs: Vec::new(),
            subject: self.person.0.subject.clone(),
            groups: self.person.0.groups.join(", "),
            here: self.here.clone(),
            csrf: self.csrf.clone(),
        }
    }

    /// The frame of a page of Access.
    pub fn access(&self, control: &Control, title: impl Into<String>, tab: &str) -> Shell {
        let all = self.sees_all(control);
        let tabs = [
            ("/access", "Grants", true),
            ("/access/passes", "Passes", true),
            ("/access/delegations", "Delegations", true),
            ("/access/reviews", "Reviews", http::reviews::has_reviews(control, &self.person)),
            ("/access/identities", "Identities", all),
            ("/access/identity", "What I may do", !all),
        ];
        self.shell(control, title, "/access").with(tabs, tab)
    }

    /// The frame of a page of Policy.
    pub fn policy(&self, control: &Control, title: impl Into<String>, tab: &str) -> Shell {
        let tabs = [
            ("/policy", "In force", true),
            ("/policy/proposals", "Proposals", true),
            ("/policy/trial", "Try it", true),
        ];
        self.shell(control, title, "/policy").with(tabs, tab)
    }

    /// Whether they may look at whatever anybody has and did.
    pub fn sees_all(&self, control: &Control) -> bool {
        self.person.is_auditor(control) || self.person.is_operator(control)
    }
}

impl Shell {
    fn with<const N: usize>(mut self, tabs: [(&'static str, &'static str, bool); N], here: &str) -> Self {
        let seen = tabs.into_iter().filter(|(.., seen)| *seen);
        self.tabs = seen.map(|(href, label, _)| Link { href, label, here: href == here }).collect();
        self
    }

    /// The frame where nobody is known.
    pub fn nobody(title: &str, headers: &HeaderMap) -> Self {
        Self {
            title: title.to_owned(),
            theme: chosen(headers),
            links: Vec::new(),
            tabs: Vec::new(),
            subject: String::new(),
            groups: String::new(),
            here: "/".into(),
            csrf: String::new(),
        }
    }

    /// What the switch changes to.
    pub fn next_theme(&self) -> &'static str {
        match self.theme {
            "light" => "dark",
            "dark" => "auto",
            _ => "light",
        }
    }

    /// What the switch says.
    pub fn theme_label(&self) -> &'static str {
        match self.theme {
            "light" => "Theme: light",
            "dark" => "Theme: dark",
            _ => "Theme: system",
        }
    }
}

fn chosen(headers: &HeaderMap) -> &'static str {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|all| all.split(';')).filter_map(|pair| pair.trim().split_once('='));
    match pairs.find(|(name, _)| *name == THEME) {
        Some((_, "light")) => "light",
        Some((_, "dark")) => "dark",
        _ => "",
    }
}

/// `GET /`: where a person's work is.
pub async fn start(_: Visitor) -> Redirect {
    Redirect::to("/holds")
}

/// `POST /theme`: light, dark, or as the system has it; and back to where the switch stood.
pub async fn theme(body: Bytes) -> Result<Response, Failure> {
    let form = Form::read(&body)?;
    let (theme, age) = match form.text("theme") {
        Some("light") => ("light", 31_536_000),
        Some("dark") => ("dark", 31_536_000),
        _ => ("", 0),
    };
    let cookie = format!("{THEME}={theme}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(own(form.text("back")))).into_response())
}

/// A path of this service; anything else, as a form from elsewhere could name it, is the start.
pub fn own(path: Option<&str>) -> &str {
    let plain = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    path.filter(plain).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn the_switch_of_themes_leads_nowhere_else() {
        assert_eq!(own(Some("/sessions?text=a%20b")), "/sessions?text=a%20b");
        for elsewhere in
            ["//evil.test", "/\\evil.test", "https://evil.test", "evil", "", "/a\r\nset-cookie: x", "/a b"]
        {
            assert_eq!(own(Some(elsewhere)), "/", "{elsewhere}");
        }
        assert_eq!(own(None), "/");
    }
}
