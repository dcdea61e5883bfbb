//! A reply in JSON lines, as a batch gives its results: each line is judged as a reply of its own.

use super::{Case, Replied};
use crate::wire::{HoldDecision, HoldState};

/// The longest line that is waited for: a whole message with its custom id.
const MAX_LINE: usize = 32 * 1024 * 1024;

/// A line that cannot be read.
pub(super) struct Unreadable;

/// Cuts bytes into lines.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Up to here there is no end of a line.
    searched: usize,
}

impl Lines {
    /// Takes bytes, appends to `out` the lines that are whole. `end`: so is what is left.
    pub(super) fn push(
        &mut self,
        case: &mut Case,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        self.bytes.extend_from_slice(bytes);
        while let Some(offset) =
            self.bytes.get(self.searched..).and_then(|rest| rest.iter().position(|&b| b == b'\n'))
        {
            let rest = self.bytes.split_off(self.searched + offset + 1);
            let mut line = std::mem::replace(&mut self.bytes, rest);
            self.searched = 0;
            line.pop();
            judge(case, &line, out)?;
            out.push(b'\n');
        }
        self.searched = self.bytes.len();
        if end {
            let line = std::mem::take(&mut self.bytes);
            self.searched = 0;
            return judge(case, &line, out);
        }
        if self.bytes.len() > MAX_LINE { Err(Unreadable) } else { Ok(()) }
    }
}

fn judge(case: &mut Case, line: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
    loop {
        match case.reply(line, 200, None) {
            Replied::Ready { body, .. } => {
                out.extend_from_slice(body.as_deref().unwrap_or(line));
                return Ok(());
            }
            // Nobody waits at a batch for a reviewer; each round settles one call of the line.
            Replied::Hold(ask) => {
                let state = HoldState {
                    id: "none".into(),
                    decision: HoldDecision::Denied,
                    reason: Some("a call that needs approval cannot be approved in a batch; send it as a message of its own".into()),
                    by: Some("Sluice".into()),
                    masked: Vec::new(),
                };
                case.settle(&ask, &state);
            }
            Replied::Refused(_) | Replied::Tools(_) => return Err(Unreadable),
        }
    }
}
