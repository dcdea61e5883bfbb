//! `sluice mask`: the filter's masking on standard input.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use sluice_engine::claude::routes::route;
use sluice_engine::identity::Principal;
use sluice_engine::judge::{Case, Flow, ReplyStream, Runtime};
use sluice_engine::mask::{Direction, Masker, Memory, Profile};
use sluice_engine::policy::bundle::{Bundle, FORMAT};
use sluice_engine::policy::document::{Masking, Policy, RecordMode};
use zeroize::Zeroizing;

use super::documents::{Ended, Input, cannot_read, documents, outcome};
use super::{Failure, Outcome};
use crate::keys::Keys;
use crate::policies::load;

/// Find and mask sensitive text on standard input, as the filter does: the same engine, the same defaults.
///
/// Reads text, or JSON lines, each an object with a `text`. Text is one document and gives one line; JSON lines give
/// a line each, in order:
///
///   {"masked":"mail <email:k3v9q2m8x0ta>","findings":[{"kind":"email","start":5,"end":20}]}
///
/// `start` and `end` are offsets in bytes of UTF-8 into the text that came in (for JSON lines, into the decoded
/// `text`). Findings are in order and do not overlap; they never carry the value. In `observe` mode there are
/// findings and nothing is masked; with masking `off` there are none.
///
/// With --sse it reads a reply of the Messages API as it streams (server-sent events) and writes the stream as a
/// client behind the filter gets it: text is masked inside the events, wherever a value is cut.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = "Examples:\n  \
    echo 'write to ann@example.com' | sluice mask\n  \
    sluice mask --policy policy.yaml < tickets.jsonl > masked.jsonl\n  \
    sluice mask --packs uk,crypto < letter.txt | jq -r .masked\n  \
    curl -sN ... | sluice mask --sse"
)]
pub struct Mask {
    /// A policy file, or a directory of them: its `masking` applies. Without it, the filter's defaults.
    #[arg(long, value_name = "PATH")]
    policy: Option<PathBuf>,
    /// Packs of detectors to turn on beside those of the policy: us, uk, de, fr, crypto, network, ...
    #[arg(long, value_name = "PACK,...", value_delimiter = ',')]
    packs: Vec<String>,
    /// A service's state directory: its key makes the masks, so that they are those that its filters make. Without
    /// it a fresh key does: masks are the same within one run and differ between runs.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// What comes in.
    #[arg(long, default_value = "auto", conflicts_with = "sse")]
    input: Input,
    /// Read and write a stream of the Messages API.
    #[arg(long)]
    sse: bool,
}

impl Mask {
    pub fn run(self) -> Outcome {
        let mut masking = self.policy.as_deref().map_or_else(|| Ok(Masking::default()), of_policy)?;
        for pack in self.packs.iter().map(|pack| pack.trim()).filter(|pack| !pack.is_empty()) {
            if !masking.packs.iter().any(|known| known == pack) {
                masking.packs.push(pack.to_owned());
            }
        }
        let key = tenant_key(self.state.as_deref())?;
        let input = io::stdin().lock();
        let output = io::stdout().lock();
        let done = if self.sse {
            stream(masking, &key, input, output)
        } else {
            let masker = Masker::new(&masking, &*key).map_err(Failure::cannot)?;
            let mut output = output;
            documents(self.input, input, |document| write(&masker, document.text, &mut output))
        };
        outcome(done)
    }
}

/// What is written for a document.
#[derive(Debug, Serialize)]
struct Line<'f> {
    masked: String,
    findings: Vec<Found<'f>>,
}

#[derive(Debug, Serialize)]
struct Found<'f> {
    kind: &'f str,
    start: usize,
    end: usize,
}

fn of_policy(path: &Path) -> Result<Masking, Failure> {
    match load(path) {
        Ok(loaded) => Ok(loaded.policy.masking),
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Err(Failure::No(format!("the policy is not in order:\n{}", faults.join("\n"))))
        }
    }
}

fn tenant_key(state: Option<&Path>) -> Result<Zeroizing<[u8; 32]>, Failure> {
    if let Some(state) = state {
        return Keys::open(state, None).map(|keys| keys.tenant).map_err(Failure::cannot);
    }
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key)
        .map_err(|e| Failure::cannot(format!("the system gives no random bytes: {e}")))?;
    Ok(key)
}

/// Writes the line of one document, at once: whoever waits for it reads it.
fn write(masker: &Masker, text: &str, output: &mut impl Write) -> Result<(), Ended> {
    let edits = masker.edits(text, Direction::Request, &Profile::default(), &mut Memory::default());
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        masked.push_str(text.get(done..edit.start).unwrap_or_default());
        masked.push_str(&edit.with);
        done = edit.end;
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    let found = masker.find(text);
    let findings = found.iter().map(|f| Found { kind: &f.kind, start: f.start, end: f.end }).collect();
    let mut line = serde_json::to_vec(&Line { masked, findings }).map_err(Failure::cannot)?;
    line.push(b'\n');
    output.write_all(&line).and_then(|()| output.flush()).map_err(Ended::Written)
}

/// Passes a stream through the filter's own judge, with a policy that masks and decides nothing else.
fn stream(
    masking: Masking,
    key: &[u8; 32],
    mut input: impl Read,
    mut output: impl Write,
) -> Result<(), Ended> {
    let mut case = case(masking, key)?;
    let mut reply = ReplyStream::events();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(cannot_read(&error).into()),
        };
        let mut out = Vec::new();
        let flow = if count == 0 {
            reply.end(&mut case, &mut out)
        } else {
            reply.push(&mut case, buffer.get(..count).unwrap_or_default(), &mut out)
        };
        output.write_all(&out).and_then(|()| output.flush()).map_err(Ended::Written)?;
        if matches!(flow, Flow::Broken) {
            let why =
                "the input is no stream of the Messages API from some event on; what came before was written";
            return Err(Failure::No(why.into()).into());
        }
        if count == 0 {
            return Ok(());
        }
    }
}

fn case(masking: Masking, key: &[u8; 32]) -> Result<Case, Failure> {
    let fixed = json!({
        "issuers": [{"name": "here", "issuer": "https://localhost", "audiences": ["sluice"]}],
        "roles": [{"name": "all", "scopes": ["*"], "models": ["*"],
            "serverTools": {"allow": ["*"]}, "mcpServers": {"allow": ["*"]}}],
        "bindings": [{"name": "here", "groups": ["here"], "roles": ["all"]}],
    });
    let mut policy: Policy = serde_json::from_value(fixed).map_err(Failure::cannot)?;
    policy.masking = masking;
    policy.recording.mode = RecordMode::Off;
    let bundle = Bundle {
        format: FORMAT,
        version: String::new(),
        policy_version: String::new(),
        issued_at_ms: 0,
        policy,
        keys: Vec::new(),
        tenant_key: BASE64.encode(key),
        grants: Vec::new(),
        revocations: Vec::new(),
    };
    let runtime = Arc::new(Runtime::new(bundle).map_err(Failure::cannot)?);
    let caller = Principal {
        issuer: "here".into(),
        subject: "here".into(),
        groups: vec!["here".into()],
        scopes: None,
        expires_ms: u64::MAX,
    };
    let route =
        route("POST", "/v1/messages").map_err(|_| Failure::cannot("the Messages API has no route"))?;
    let (case, allowed) = Case::open(runtime, caller, route, "0".repeat(32), 0);
    allowed.map_err(|refusal| Failure::cannot(refusal.message))?;
    Ok(case)
}
