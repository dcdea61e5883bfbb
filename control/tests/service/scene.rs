//! People who are signed in, and send forms as browsers do: what the tests of pages by forms alone are built on.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::harness::Service;
use super::provider::{Browser, Provider, Seen};

pub const REVIEWS: &str = "
reviews:
- name: quarterly
  reviewers: [leads]
  deadline: 1h
";

/// Text that does something where a page takes it for its own.
pub const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>";

/// Somebody who is signed in, with the token that their forms carry.
pub struct Somebody {
    pub browser: Browser,
    pub csrf: String,
}

impl Somebody {
    pub async fn get(&mut self, path: &str) -> Seen {
        let shown = self.browser.send("GET", path, &[("accept", "text/html")], "").await;
        assert!(!shown.body.contains("<script>alert") && !shown.body.contains("<img src=x"), "{path}");
        shown
    }

    /// A form with its token, written by hand as browsers write it.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let csrf = self.csrf.clone();
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        let form = serde_urlencoded::to_string(fields).unwrap();
        let shown = self.browser.post(path, &form).await;
        assert!(!shown.body.contains("<script>alert"), "{path}");
        shown
    }
}

pub struct Scene {
    pub provider: Provider,
    pub service: Service,
}

impl Scene {
    pub async fn start(args: &[&str]) -> Self {
        let provider = Provider::start().await;
        let service = Service::start_as(&format!("{}{REVIEWS}", provider.policy()), args).await;
        for _ in 0..100 {
            if service.ready().await["issuers"]["corp"]["keys"] == 1 {
                return Self { provider, service };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the issuer's key did not come: {}", service.log());
    }

    pub async fn signs_in(&self, subject: &str, groups: &[&str]) -> Somebody {
        self.provider.knows(subject, groups);
        let mut browser = Browser::new(&self.service.url);
        browser.sign_in("/access").await;
        let me: Value = serde_json::from_str(&browser.get("/v1/whoami").await.body).unwrap();
        assert_eq!(me["subject"], subject);
        Somebody { csrf: me["csrf"].as_str().unwrap().to_owned(), browser }
    }

    pub async fn withheld(&self) -> usize {
        let start = Instant::now();
        loop {
            let withheld = self.service.bundle().await["withheld"].as_array().map_or(0, Vec::len);
            if withheld > 0 || start.elapsed() > Duration::from_secs(10) {
                return withheld;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

pub fn is_form(shown: &Seen, action: &str) -> bool {
    shown.body.contains(&format!("action=\"{action}\""))
}
