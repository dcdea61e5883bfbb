//! People sign in at a real identity provider, in a browser and from the command line, and decide what agents wait for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sluice_tests::client::{Ask, Reply};
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack, place};
use tempfile::TempDir;

/// The first free port that the system gives.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that ends with the test, and its files.
pub struct Ends(Child, pub TempDir);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `oidc-provider` for a control on this port; gives its issuer.
pub fn provider(control_port: u16) -> (Ends, String) {
    let modules = place::repository().join("target/clients/provider");
    assert!(modules.join("node_modules").is_dir(), "make clients");
    let child = Command::new("node")
        .arg(place::repository().join("tests/clients/provider/provider.mjs"))
        .arg(modules)
        .arg(format!("http://127.0.0.1:{control_port}/signin/callback"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = Ends(child.unwrap(), TempDir::new().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let issuer = lines.find(|line| line.starts_with("http://")).unwrap();
    // Read to the end: it must not break off in the middle of a word.
    std::thread::spawn(move || lines.for_each(drop));
    (child, issuer)
}

/// A stack whose people sign in at the provider.
pub async fn stack() -> (Stack, Ends) {
    let control_port = free_port();
    let (provider, issuer) = provider(control_port);
    let policy = DEFAULT_POLICY.replace(
        "\nissuers:\n",
        &format!("\nissuers:\n- name: corp\n  issuer: {issuer}\n  audiences: [sluice, sluice-cli]\n  claims: {{ subject: name }}\n"),
    );
    let policy = policy.replace(
        "\naccess:\n",
        "\naccess:\n  signIn: { issuer: corp, clientId: sluice, commandLineClientId: sluice-cli }\n",
    );
    let secret = provider.1.path().join("client-secret");
    std::fs::write(&secret, "only-for-tests\n").unwrap();
    let settings = Settings {
        policy: Policy::Text(policy),
        control_port,
        serve: vec!["--sign-in-secret-file".to_owned(), secret.display().to_string()],
        ..Settings::default()
    };
    (Stack::start(settings).await.unwrap(), provider)
}

/// A browser: cookies by host and port, and redirects that are followed one by one.
#[derive(Default)]
struct Browser {
    jars: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    async fn send(&mut self, ask: Ask, url: &str) -> Reply {
        let host = url.split('/').nth(2).unwrap().to_owned();
        let jar = self.jars.entry(host).or_default();
        let all: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let ask = if all.is_empty() { ask } else { ask.header("cookie", &all.join("; ")) };
        let reply = ask.send().await.unwrap();
        for cookie in reply.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let gone = value.is_empty() || rest.contains("Max-Age=0") || rest.contains("1970");
            if gone {
                jar.remove(name)
            } else {
                jar.insert(name.to_owned(), value.to_owned())
            };
        }
        reply
    }

    /// Goes to a page and wherever it leads, signing in at the provider on the way; where that ends.
    async fn go(&mut self, url: &str, login: &str) -> (String, Reply) {
        let mut url = url.to_owned();
        let mut reply = self.send(Ask::get(&url), &url).await;
        for _ in 0..20 {
            let base = url.split('/').take(3).collect::<Vec<_>>().join("/");
            if let Some(to) = reply.header("location") {
                url = if to.starts_with('/') { format!("{base}{to}") } else { to.to_owned() };
                reply = self.send(Ask::get(&url), &url).await;
                continue;
            }
            // The provider's forms: who are you, and may this client know it.
            let text = reply.text();
            let Some(prompt) = ["login", "consent"]
                .into_iter()
                .find(|prompt| text.contains(&format!("name=\"prompt\" value=\"{prompt}\"")))
            else {
                break;
            };
            let form =
                format!("prompt={prompt}&login={}&password=x", login.replace(':', "%3A").replace(',', "%2C"));
            url = format!("{base}/interaction/{}", url.rsplit('/').next().unwrap());
            reply = self.send(Ask::form(&url, form), &url).await;
        }
        (url, reply)
    }
}

#[tokio::test]
async fn a_reviewer_signs_in_at_the_provider_and_lets_a_held_call_go_on() {
    let (stack, _provider) = stack().await;
    let control = stack.control().unwrap();
    let mut browser = Browser::default();
    let (at, me) = browser.go(&format!("{}/signin?to=/v1/whoami", control.url), "abe:approvers,staff").await;
    assert_eq!((at, me.status), (format!("{}/v1/whoami", control.url), 200), "{}", me.text());
    let me: Value = me.json();
    assert_eq!((&me["issuer"], &me["subject"]), (&json!("corp"), &json!("abe")), "{me}");
    assert_eq!(me["groups"], json!(["approvers", "staff"]), "as the provider's claim has them");

    let writer = stack.token("wanda", &["writers"]).unwrap();
    let write = Prompt::new("call: query_db {\"sql\":\"INSERT INTO by_visit VALUES (1)\"}").tool("query_db");
    let ask = write.ask(&stack.url, &writer);
    let waiting = tokio::spawn(async move { ask.send().await.unwrap() });
    let hold = control.wait_for_hold("by_visit").await.unwrap();
    let url = format!("{}/v1/holds/{}/decision", control.url, hold.id);
    let decide = |csrf: &str| {
        Ask::post(&url, r#"{"approve":true,"reason":"seen"}"#)
            .header("sec-fetch-site", "same-origin")
            .header("x-csrf-token", csrf)
    };
    assert_eq!(browser.send(decide("x"), &url).await.status, 403);
    let decided = browser.send(decide(me["csrf"].as_str().unwrap()), &url).await;
    assert_eq!(decided.status, 200, "{}", decided.text());
    let reply = waiting.await.unwrap();
    assert!(reply.status == 200 && reply.text().contains("by_visit"), "{}", reply.text());
    assert!(control.sluice(&["records", "verify"]).is_ok());

    // From somebody else's browser the provider's answer is worth nothing: the state is not theirs.
    let begun = format!("{}/signin", control.url);
    let page = Ask::get(&begun).send().await.unwrap();
    let mut attacker = Browser::default();
    let (back, _) = attacker.go(page.header("location").unwrap(), "eve:approvers").await;
    assert!(back.contains("/signin/callback?code="), "{back}");
    let mut victim = Browser::default();
    assert_eq!(victim.send(Ask::get(&back), &back).await.status, 400);
}

#[tokio::test]
async fn under_dev_envoy_is_served_and_people_say_who_they_are() {
    let settings = Settings { serve: vec!["--dev".to_owned()], ..Settings::default() };
    let stack = Stack::start(settings).await.unwrap();
    let token = stack.token("ann", &["readers"]).unwrap();
    let reply = Prompt::new("hello").ask(&stack.url, &token).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let control = &stack.control().unwrap().url;
    let (form, page) = (format!("{control}/signin?to=/v1/sessions"), format!("{control}/v1/sessions"));
    let mut browser = Browser::default();
    let said = Ask::form(&form, "subject=aud&groups=auditors").header("sec-fetch-site", "same-origin");
    assert_eq!(browser.send(said, &form).await.header("location"), Some("/v1/sessions"));
    let seen = browser.send(Ask::get(&page), &page).await;
    assert!(seen.status == 200 && seen.text().contains("ann"), "{}", seen.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_signs_in_at_the_provider() {
    let (stack, _provider) = stack().await;
    let control = stack.control().unwrap();
    let home = TempDir::new().unwrap();
    let sluice = |arguments: &[&str]| {
        let mut command = Command::new(place::sluice().unwrap());
        command.args(arguments).env("SLUICE_URL", &control.url).env("XDG_CONFIG_HOME", home.path());
        command.env_remove("SLUICE_TOKEN").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let mut login = sluice(&["login", "--no-browser"]).spawn().unwrap();
    let mut lines = BufReader::new(login.stdout.take().unwrap()).lines();
    let page = lines.nth(1).unwrap().unwrap().trim().to_owned();
    let (_, done) = Browser::default().go(&page, "eve:auditors").await;
    assert!(done.text().contains("Go back to the terminal"), "{}", done.text());
    let said: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(login.wait().unwrap().success(), "{said:?}");
    assert!(said.join("\n").contains("You are eve (corp), in auditors"), "{said:?}");
    assert!(sluice(&["sessions", "ls"]).output().unwrap().status.success(), "an auditor's right");
    assert!(sluice(&["logout"]).output().unwrap().status.success());
    assert_eq!(sluice(&["sessions", "ls"]).output().unwrap().status.code(), Some(2));
}
