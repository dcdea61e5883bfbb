//! `sluice policy explain`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use clap::{Args, ValueEnum};
use serde_json::json;
use sluice_engine::claude::error::ErrorKind;
use sluice_engine::identity::{Principal, TokenError};
use sluice_engine::judge::{Refusal, Runtime};
use sluice_engine::policy::bundle::{Bundle, IssuerKeys, SignedBundle};

use super::faults;
use super::steps::{Steps, read_by_caller};
use crate::cli::print::{Paint, clean_line, say};
use crate::cli::{Failure, Output};
use crate::client::{Call, Client};
use crate::keys::{Keys, data_token};
use crate::policies::{Loaded, load};
use crate::serve::now_ms;
use crate::trial::cases::{Sent, between, harmless, ways_of};
use crate::trial::exchange::{self, Answer, Request, Verdict, exchange, principal, refused};
use crate::trial::{issuer_keys, runtime};

/// Say what a policy makes of a request and a reply, step by step, on the engine that the sidecar runs.
///
/// The caller is stated (--subject, --group) or verified (--token). A token is verified as the sidecar does: by keys
/// that stand in the policy, with --state also by control's own, with --url also by those that the running service
/// has fetched from the issuers.
///
/// Shows the route and its scope, the bindings that give roles, each right that is checked with the role and entry
/// that decides, what is found and masked (kind, place and count, never the value), what commands in tool calls would
/// do, each rule with the condition that does not hold, and what the caller reads.
///
/// Ends with 0 when the verdict is allow, with 1 when it is deny or hold, with 2 when that cannot be told.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    sluice policy explain policy/ --subject ann --group readers --request body.json\n  \
    sluice policy explain policy/ --group writers --request body.json --reply stream.sse\n  \
    sluice token mint --subject ann --group readers | sluice policy explain policy/ --token - --state var")]
pub struct Explain {
    /// A policy file, or a directory of them.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// A token to verify; `-` reads it from standard input, since arguments are seen by other processes.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["subject", "groups", "scopes", "issuer"])]
    token: Option<String>,
    /// Who calls, without a token.
    #[arg(long, value_name = "NAME", default_value = "someone")]
    subject: String,
    /// A group of the caller; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A scope that the caller's token is narrowed to; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The issuer of the caller's token, by its name in the policy. Default: the policy's first.
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// A file with the request's body; `-` reads it from standard input. Default: a short prompt.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// A file with the API's reply: JSON, or server-sent events. A stream is fed at many splits too.
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
    /// Method and path.
    #[arg(long, value_name = "ROUTE", default_value = "POST /v1/messages")]
    route: String,
    /// A header of the request (`anthropic-beta: VALUE`); may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// What reviewers say to what is held.
    #[arg(long, default_value = "wait")]
    holds: Said,
    /// The service's state directory, for control's own key.
    #[arg(long, env = "SLUICE_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// The running service, for the keys that it has fetched; needs --state.
    #[arg(long, value_name = "URL", requires = "state")]
    url: Option<String>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// What reviewers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Said {
    /// Nothing yet.
    Wait,
    /// Yes.
    Approve,
    /// No.
    Deny,
    /// Nothing in time.
    Expire,
}

impl Explain {
    pub async fn run(self) -> crate::cli::Outcome {
        let loaded = load(&self.path)
            .map_err(|wrong| Failure::Cannot(faults("the policy is not in order", &wrong)))?;
        let now_ms = now_ms();
        let keys = self.keys(&loaded).await?;
        let compiled = runtime(&loaded, keys, now_ms).map_err(Failure::cannot)?;
        let request = self.asked()?;
        let caller = match self.caller(&compiled, &loaded, now_ms)? {
            Ok(caller) => caller,
            Err(error) => {
                let refusal = Refusal::new(ErrorKind::Authentication, error.rule(), error.to_string());
                return self.tell(&loaded, &compiled, None, &refused(&refusal), now_ms);
            }
        };
        let replies = match &self.reply {
            None => Vec::new(),
            Some(path) => {
                let ways = ways_of(read(path)?, 200, Sent::Whole);
                ways.map_err(|wrong| Failure::cannot(format!("{}: {}", path.display(), wrong.why)))?.ways
            }
        };
        let answer = match self.holds {
            Said::Wait => Answer::Wait,
            Said::Approve => Answer::Approve,
            Said::Deny => Answer::Deny,
            Said::Expire => Answer::Expire,
        };
        let once = |reply| exchange(&compiled, &caller, &request, reply, answer, now_ms);
        let mut replies = replies.iter();
        let outcome = once(replies.next());
        for reply in replies {
            if let Some(found) = between(&outcome, &once(Some(reply)), reply) {
                let (field, one, other) = (found.field, found.expected, found.got);
                return Err(Failure::cannot(format!(
                    "this is a fault of the engine, please report it: {field}: {one}, and {other}"
                )));
            }
        }
        self.tell(&loaded, &compiled, Some(&caller), &outcome, now_ms)
    }

    fn asked(&self) -> Result<Request, Failure> {
        let (method, path) = self.route.split_once(' ').ok_or_else(|| {
            Failure::cannot("--route takes a method and a path: --route 'POST /v1/messages'")
        })?;
        let mut headers = Vec::new();
        for header in &self.headers {
            let (name, value) = header.split_once(':').ok_or_else(|| {
                Failure::cannot("--header takes a name and a value: --header 'name: value'")
            })?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let body = match &self.request {
            Some(path) => read(path)?,
            None if method == "POST" && path.starts_with("/v1/messages") => harmless(),
            None => Vec::new(),
        };
        Ok(Request { method: method.to_owned(), path: path.trim().to_owned(), headers, body })
    }

    /// Who calls: stated, or verified as the sidecar does.
    fn caller(
        &self,
        compiled: &Arc<Runtime>,
        loaded: &Loaded,
        now_ms: u64,
    ) -> Result<Result<Principal, TokenError>, Failure> {
        let names = || loaded.policy.issuers.iter().map(|issuer| issuer.name.as_str());
        let Some(token) = &self.token else {
            let issuer = self.issuer.as_deref().or(names().next()).unwrap_or_default();
            if !names().any(|name| name == issuer) {
                let known = names().collect::<Vec<_>>().join(", ");
                return Err(Failure::cannot(format!("the policy has no issuer `{issuer}`; it has {known}")));
            }
            let scopes = (!self.scopes.is_empty()).then(|| self.scopes.clone());
            return Ok(Ok(principal(issuer, &self.subject, self.groups.clone(), scopes)));
        };
        let token = if token == "-" {
            String::from_utf8(read(Path::new("-"))?).map_err(|_| Failure::cannot("the token is not text"))?
        } else {
            token.clone()
        };
        Ok(compiled.compiled.verifier().verify(token.trim(), now_ms))
    }

    /// The keys that tokens are verified by.
    async fn keys(&self, loaded: &Loaded) -> Result<Vec<IssuerKeys>, Failure> {
        let Some(state) = self.state.as_ref().filter(|_| self.token.is_some()) else {
            return Ok(issuer_keys(&loaded.policy, None));
        };
        let own = Keys::open(state, None).map_err(Failure::cannot)?;
        let mut keys = issuer_keys(&loaded.policy, Some(&own.issuer_at("").jwk()));
        let Some(url) = &self.url else { return Ok(keys) };
        let token = data_token(state, None).map_err(Failure::cannot)?;
        let url = format!("{}/v1/bundle", url.trim_end_matches('/'));
        let call = Call {
            method: Method::GET,
            url: &url,
            token: Some(&token),
            body: None,
            timeout: Duration::from_secs(30),
            limit: 64 << 20,
        };
        let answer = Client::new().call(call).await.map_err(Failure::cannot)?;
        if !answer.status.is_success() {
            return Err(Failure::cannot(format!("{url} answered {}", answer.status)));
        }
        let signed: SignedBundle = serde_json::from_slice(&answer.body).map_err(Failure::cannot)?;
        let bundle: Bundle = signed.open(&[own.bundle.verifying_key()]).map_err(Failure::cannot)?;
        // The name may stand for another issuer in the policy that is tried.
        let same = |name: &str| {
            let of = |issuers: &[sluice_engine::policy::document::Issuer]| {
                issuers.iter().find(|issuer| issuer.name == name).map(|issuer| issuer.issuer.clone())
            };
            of(&bundle.policy.issuers) == of(&loaded.policy.issuers)
        };
        for own in keys.iter_mut().filter(|own| own.keys.is_empty() && same(&own.issuer)) {
            let fetched = bundle.keys.iter().find(|fetched| fetched.issuer == own.issuer);
            own.keys = fetched.map(|fetched| fetched.keys.clone()).unwrap_or_default();
        }
        Ok(keys)
    }

    fn tell(
        &self,
        loaded: &Loaded,
        compiled: &Runtime,
        caller: Option<&Principal>,
        outcome: &exchange::Outcome,
        now_ms: u64,
    ) -> crate::cli::Outcome {
        let given = caller.map(|caller| compiled.compiled.given(caller, now_ms)).unwrap_or_default();
        if self.output == Output::Json {
            let given: Vec<_> = given
                .iter()
                .map(|one| json!({"role": one.role, "binding": one.binding, "group": one.group}))
                .collect();
            let whole = json!({
                "policy": loaded.version, "principal": caller, "roles": given, "outcome": outcome,
                "masks": outcome.masks(), "effects": outcome.effects(),
            });
            say(&whole.to_string());
        } else {
            let paint = Paint::detect();
            if let Some(caller) = caller {
                let groups = if caller.groups.is_empty() { "none".into() } else { caller.groups.join(", ") };
                let line = format!("{} of {}, groups: {groups}", caller.subject, caller.issuer);
                say(&format!("{}  {}", paint.dim("caller  "), clean_line(&line)));
                for one in &given {
                    let through = match one.group {
                        Some(group) => format!("group {group}"),
                        None => "the subject".into(),
                    };
                    let by =
                        one.binding.map_or("a grant".into(), |name| format!("binding {name}, by {through}"));
                    say(&format!("{}  {} through {by}", paint.dim("role    "), one.role));
                }
                if given.is_empty() {
                    say(&format!(
                        "{}  none: no binding names these groups or this subject",
                        paint.dim("role    ")
                    ));
                }
            } else {
                say(&format!("{}  {}", paint.dim("caller  "), paint.red("the token is refused")));
                self.tell_missing_keys(compiled, paint);
            }
            say(&Steps::new(&loaded.policy, caller, paint).write(outcome));
            if let Some(text) = read_by_caller(outcome) {
                say(&format!("\n{text}"));
            }
        }
        match outcome.verdict {
            Verdict::Allow => Ok(()),
            // The verdict was told.
            Verdict::Deny | Verdict::Hold => Err(Failure::No(String::new())),
        }
    }

    /// Issuers whose keys are not here, and where they can be had.
    fn tell_missing_keys(&self, compiled: &Runtime, paint: Paint) {
        for problem in compiled.compiled.key_problems() {
            let hint = match (&self.state, &self.url) {
                (None, _) => {
                    "; --state DIR gives control's own keys, with --url URL also those that it has fetched"
                }
                (Some(_), None) => "; --url URL gives those that the service has fetched",
                _ => "",
            };
            let text = format!("issuer {}: {}{hint}", problem.issuer, problem.why);
            say(&format!("{}  {}", paint.dim("keys    "), clean_line(&text)));
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        return read.map(|_| bytes).map_err(|e| Failure::cannot(format!("standard input: {e}")));
    }
    std::fs::read(path).map_err(|e| Failure::cannot(format!("{}: {e}", path.display())))
}
