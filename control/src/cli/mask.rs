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
use sluice_engine::policy::document::{Masking, Policy, RecordMode, Role};
use sluice_engine::policy::rights::role_masks;
use zeroize::Zeroizing;

use super::documents::{Ended, Input, cannot_read, documents, outcome};
use super::{Failure, Outcome};
use crate::keys::Keys;
use crate::policies::Files;

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
/// client behind the filter gets it: text is masked inside the events, wherever a value is cut. What is no stream of
/// events is refused.
///
/// With --role it masks as for a caller who holds these roles of the policy (`unmasked` and `masks` of each, of
/// several the safest). Findings are the same whatever the role: those that it leaves as they are, too.
///
/// Ends with 0 when it masked, 1 when the policy is not in order or the stream breaks, 2 when it could not be asked:
/// a file that cannot be read, a role that the policy does not have, input of another form.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = "Examples:\n  \
    echo 'write to ann@example.com' | sluice mask\n  \
    sluice mask --policy policy.yaml < tickets.jsonl > masked.jsonl\n  \
    sluice mask --policy policies/ --role analyst --role support < letter.txt\n  \
    sluice mask --packs uk,crypto < letter.txt | jq -r .masked\n  \
    curl -sN ... | sluice mask --sse"
)]
pub struct Mask {
    /// A policy file, or a directory of them: its `masking` applies. Without it, the filter's defaults.
    #[arg(long, value_name = "PATH")]
    policy: Option<PathBuf>,
    /// A role of the policy that the caller holds; say it again for each. Without one, the caller's roles say nothing
    /// about masks.
    #[arg(long = "role", value_name = "NAME", requires = "policy")]
    roles: Vec<String>,
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
        let policy = self.policy.as_deref().map_or_else(|| Ok(Policy::default()), of_path)?;
        let roles = held(&policy, &self.roles)?;
        let mut masking = policy.masking;
        for pack in self.packs.iter().map(|pack| pack.trim()).filter(|pack| !pack.is_empty()) {
            if !masking.packs.iter().any(|known| known == pack) {
                masking.packs.push(pack.to_owned());
            }
        }
        let key = tenant_key(self.state.as_deref())?;
        let input = io::stdin().lock();
        let output = io::stdout().lock();
        let done = if self.sse {
            stream(masking, roles, &key, input, output)
        } else {
            let masker = Masker::new(&masking, &*key).map_err(Failure::cannot)?;
            let said: Vec<_> = roles.iter().map(role_masks).collect();
            let profile = masker.profile(&said);
            let mut output = output;
            documents(self.input, input, |document| write(&masker, &profile, document.text, &mut output))
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

fn of_path(path: &Path) -> Result<Policy, Failure> {
    let files =
        Files::read(path).map_err(|fault| Failure::cannot(format!("the policy cannot be read: {fault}")))?;
    files.policy().map(|loaded| loaded.policy).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::No(format!("the policy is not in order:\n{}", faults.join("\n")))
    })
}

/// The roles of a policy with these names.
fn held(policy: &Policy, names: &[String]) -> Result<Vec<Role>, Failure> {
    let held = |name: &String| {
        policy.roles.iter().find(|role| role.name == *name).cloned().ok_or_else(|| {
            let known: Vec<&str> = policy.roles.iter().map(|role| role.name.as_str()).collect();
            Failure::cannot(format!("the policy has no role `{name}`; it has: {}", known.join(", ")))
        })
    };
    names.iter().map(held).collect()
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
fn write(masker: &Masker, profile: &Profile, text: &str, output: &mut impl Write) -> Result<(), Ended> {
    let edits = masker.edits(text, Direction::Request, profile, &mut Memory::default());
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
    roles: Vec<Role>,
    key: &[u8; 32],
    mut input: impl Read,
    mut output: impl Write,
) -> Result<(), Ended> {
    let mut case = case(masking, roles, key)?;
    let mut start = Start::default();
    let mut reply = ReplyStream::events();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(cannot_read(&error).into()),
        };
        let Some(bytes) = start.more(buffer.get(..count).unwrap_or_default(), count == 0)? else { continue };
        let mut out = Vec::new();
        if !bytes.is_empty() && count == 0 {
            reply.push(&mut case, &bytes, &mut out);
        }
        let flow =
            if count == 0 { reply.end(&mut case, &mut out) } else { reply.push(&mut case, &bytes, &mut out) };
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

/// The first line of a stream, which tells whether it is one: nothing leaves before.
#[derive(Default)]
struct Start {
    kept: Vec<u8>,
    seen: bool,
}

impl Start {
    /// Longest first line that is waited for, in bytes: names of fields are short.
    const MOST: usize = 64;

    /// What of the input may be read now; `None` while the first line is not there yet.
    fn more(&mut self, bytes: &[u8], end: bool) -> Result<Option<Vec<u8>>, Failure> {
        if self.seen {
            return Ok(Some(bytes.to_vec()));
        }
        self.kept.extend_from_slice(bytes);
        let text = self.kept.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.kept).trim_ascii_start();
        let line = text.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
        if !end && line.len() == text.len() && line.len() < Self::MOST {
            return Ok(None);
        }
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        if !text.is_empty() && !matches!(name, b"" | b"event" | b"data" | b"id" | b"retry") {
            return Err(Failure::cannot(
                "this is not a stream of events: its first line is none of `event:`, `data:`, `id:`, `retry:` and \
                 a comment; leave out --sse for text and JSON lines",
            ));
        }
        self.seen = true;
        Ok(Some(std::mem::take(&mut self.kept)))
    }
}

fn case(masking: Masking, held: Vec<Role>, key: &[u8; 32]) -> Result<Case, Failure> {
    let fixed = json!({
        "issuers": [{"name": "here", "issuer": "https://localhost", "audiences": ["sluice"]}],
        "roles": [{"name": "all", "scopes": ["*"], "models": ["*"],
            "serverTools": {"allow": ["*"]}, "mcpServers": {"allow": ["*"]}}],
        "bindings": [{"name": "here", "groups": ["here"], "roles": ["all"]}],
    });
    let mut policy: Policy = serde_json::from_value(fixed).map_err(Failure::cannot)?;
    for (number, role) in held.into_iter().enumerate() {
        let role =
            Role { name: number.to_string(), unmasked: role.unmasked, masks: role.masks, ..Role::default() };
        policy.bindings.iter_mut().for_each(|binding| binding.roles.push(role.name.clone()));
        policy.roles.push(role);
    }
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
        withheld: Vec::new(),
    };
    let runtime = Arc::new(Runtime::new(bundle).map_err(Failure::cannot)?);
    let caller = Principal {
        issuer: "here".into(),
        subject: "here".into(),
        groups: vec!["here".into()],
        scopes: None,
        actor: None,
        expires_ms: u64::MAX,
    };
    let route =
        route("POST", "/v1/messages").map_err(|_| Failure::cannot("the Messages API has no route"))?;
    let (case, allowed) = Case::open(runtime, caller, route, "0".repeat(32), 0);
    allowed.map_err(|refusal| Failure::cannot(refusal.message))?;
    Ok(case)
}
