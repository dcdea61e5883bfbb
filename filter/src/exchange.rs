//! One exchange: a state, and what each callback makes of it.
//!
//! ```text
//!  Start ─► Reading ─► Asking ─► Forwarded ─► Collecting ─► Done
//!                 └───────────────┘      ├──► Streaming ──┘
//!                                        └──► Passing ────┘
//!   ├──► Inquiring (whose is this token?) ─► Start
//!   └──► Trading (a token for a token, at control) ────────► Done
//! ```
//!
//! Every callback ends in a [`Step`]; only the contexts turn it into Pause or Continue.

mod asking;
mod budget;
mod inquiry;
mod refusal;
mod request;
mod response;
mod trade;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use sluice_engine::judge::{Case, Refusal, ReplyStream, refused_record};
use sluice_engine::mcp::answer::Answers;
use sluice_engine::policy::document::RecordMode;
use sluice_engine::record::{Block, Record, Stage};
use sluice_engine::wire::{HoldAsk, Open, ToolsSeen};

use crate::host::{Host, Side};
use crate::shared::Shared;
use inquiry::Inquiry;
use trade::Trade;

/// What a callback came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing may move yet.
    Wait,
    /// What is there may go on.
    Go,
}

/// Where an exchange stands.
#[allow(clippy::large_enum_variant, reason = "one a stream, moved a few times")]
enum State {
    /// Nothing has come.
    Start,
    /// Control asks whose an opaque token is.
    Inquiring(Inquiry),
    /// A token is exchanged at control.
    Trading(Trade),
    /// The caller is known; the body is not whole.
    Reading(Case, Reading),
    /// Control is asked before the request goes on.
    Asking(Case, Question, Forward),
    /// The request is upstream.
    Forwarded(Case),
    /// The reply is collected, to be judged as a whole. With a question: it was, and a call in it waits.
    Collecting(Case, Option<Question>),
    /// The reply streams. With a question: it waits in the middle.
    Streaming(Case, Stream, Option<Question>),
    /// The reply leaves as it comes.
    Passing(Case),
    /// We have answered ourselves, or everything is recorded.
    Done,
}

/// What is kept of the request's head.
struct Reading {
    betas: Vec<String>,
}

/// A streamed reply, and how to read it.
struct Stream {
    reply: ReplyStream,
    /// Let out by the engine while the stream waits in Envoy.
    pending: Vec<u8>,
}

/// What goes upstream once control agrees.
struct Forward {
    /// The body, when it was changed.
    body: Option<Vec<u8>>,
    /// Further holds to ask about.
    holds: VecDeque<HoldAsk>,
}

/// Something that control was asked.
struct Question {
    /// The hold that it is about; `None`: only a record.
    ask: Option<HoldAsk>,
    /// Its id, once control has told it.
    hold: Option<String>,
    /// Whether it was approved, so that the approval is to be used now.
    approved: bool,
    /// The message of [`sluice_engine::wire::EXCHANGES`], to be sent again when blocks were missing.
    open: Open,
    /// All blocks that its record names.
    blocks: Vec<Block>,
    /// The call under way.
    token: Option<u32>,
    /// Since when the client has heard nothing, in Unix milliseconds: its patience counts from here.
    since_ms: u64,
}

impl Question {
    /// A question about a hold alone: nothing is written with it.
    fn about(ask: HoldAsk, since_ms: u64) -> Self {
        let open = Open { hold: Some(ask.clone()), ..Open::default() };
        Self { ask: Some(ask), hold: None, approved: false, open, blocks: Vec::new(), token: None, since_ms }
    }

    /// A question that only has a record written, with the blocks that control may lack.
    fn record(record: Record, blocks: Vec<Block>, lacking: Vec<Block>, since_ms: u64) -> Self {
        let open = Open { record: Some(record), blocks: lacking, ..Open::default() };
        Self { ask: None, hold: None, approved: false, open, blocks, token: None, since_ms }
    }

    /// A question about the definitions of listed tools.
    fn tools(seen: Box<ToolsSeen>, since_ms: u64) -> Self {
        let open = Open { tools: Some(seen), ..Open::default() };
        Self { ask: None, hold: None, approved: false, open, blocks: Vec::new(), token: None, since_ms }
    }
}

/// One exchange.
pub struct Exchange {
    shared: Rc<Shared>,
    context: u32,
    own: Weak<RefCell<Exchange>>,
    state: State,
    /// Scheme and authority by which the client reached us.
    gateway: Option<String>,
    /// The status that the client gets, once known.
    status: Option<u16>,
    /// The masked copy of a whole reply.
    recorded: Option<String>,
    /// Budgets of which something is reserved.
    admitted: Option<budget::Admitted>,
    /// Whether the request went upstream.
    forwarded: bool,
    /// How the client of an MCP server reads refusals; `None`: it is a client of the API.
    answers: Option<Answers>,
}

impl Exchange {
    /// A new one. `context`: Envoy's id for it.
    pub fn new(shared: Rc<Shared>, context: u32) -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|own| {
            RefCell::new(Self {
                shared,
                context,
                own: own.clone(),
                state: State::Start,
                gateway: None,
                status: None,
                recorded: None,
                admitted: None,
                forwarded: false,
                answers: None,
            })
        })
    }

    /// The request's headers. `end`: there is no body.
    pub fn request_headers(&mut self, end: bool, host: &dyn Host) -> Step {
        match self.state {
            State::Start => self.read_head(end, host),
            _ => Step::Wait,
        }
    }

    /// A part of the request's body, buffered with all before it; `size` of all. Trailers are an end, too.
    pub fn request_body(&mut self, size: usize, end: bool, host: &dyn Host) -> Step {
        match &mut self.state {
            State::Inquiring(inquiry) => {
                inquiry.note_body(size, end);
                Step::Wait
            }
            State::Reading(..) => self.read_body(size, end, host),
            State::Trading(_) => self.trade(size, end, host),
            // Answered or asking: what still comes must not overtake the verdict.
            State::Start | State::Asking(..) | State::Done => Step::Wait,
            _ => Step::Go,
        }
    }

    /// The reply's headers, from upstream or of an answer of our own.
    pub fn response_headers(&mut self, end: bool, host: &dyn Host) -> Step {
        match self.state {
            State::Forwarded(_) => self.read_reply_head(end, host),
            _ => Step::Go,
        }
    }

    /// A part of the reply's body. Trailers are an end, too.
    pub fn response_body(&mut self, end: bool, host: &dyn Host) -> Step {
        match self.state {
            State::Collecting(_, None) => self.collect(end, host),
            State::Streaming(..) => self.flow(end, host),
            State::Collecting(_, Some(_)) => Step::Wait,
            _ => Step::Go,
        }
    }

    /// Control has answered; gives the token of the next call, if there is one.
    pub fn answered(&mut self, token: u32, headers: usize, host: &dyn Host) -> Option<u32> {
        let (status, body) = crate::root::read_answer(headers, host);
        if matches!(&self.state, State::Trading(trade) if trade.awaits(token)) {
            self.traded(status, &body, host);
            return None;
        }
        if matches!(&self.state, State::Inquiring(inquiry) if inquiry.awaits(token)) {
            self.later(host, |own| own.inquired(status, &body, host));
            return self.question().and_then(|question| question.token);
        }
        if self.question().is_some_and(|question| question.token == Some(token)) {
            if status != 200 {
                host.count(crate::metrics::Counter::ControlFailed, 1);
            }
            self.later(host, |own| own.hear(status, &body, host));
        }
        self.question().and_then(|question| question.token)
    }

    /// Runs a step outside of the stream's own callbacks: what it lets go is resumed by call.
    fn later(&mut self, host: &dyn Host, step: impl FnOnce(&mut Self) -> Step) {
        let side = if matches!(self.state, State::Asking(..) | State::Inquiring(_)) {
            Side::Request
        } else {
            Side::Response
        };
        if step(self) == Step::Go
            && let Err(why) = host.resume(side)
        {
            log::error!("sluice: a paused stream does not go on: {why}");
        }
    }

    /// Asks control again after a failure; gives the token of the call.
    pub fn retry(&mut self, host: &dyn Host) -> Option<u32> {
        self.later(host, |own| own.ask_again(host));
        self.question().and_then(|question| question.token)
    }

    /// The exchange is over, or its client has left.
    pub fn done(&mut self, host: &dyn Host) {
        let status = self.status;
        let (mut case, recorded) = match std::mem::replace(&mut self.state, State::Done) {
            State::Start | State::Inquiring(_) | State::Trading(_) | State::Done => {
                return self.give_up(host);
            }
            State::Streaming(mut case, stream, _) => {
                let recorded = stream.reply.recorded(&mut case);
                (case, recorded)
            }
            State::Reading(case, _) | State::Asking(case, ..) | State::Forwarded(case) => (case, None),
            State::Collecting(case, _) | State::Passing(case) => (case, self.recorded.take()),
        };
        self.close(&mut case, status, recorded, host);
    }

    fn question(&self) -> Option<&Question> {
        match &self.state {
            State::Asking(_, question, _) => Some(question),
            State::Collecting(_, question) | State::Streaming(_, _, question) => question.as_ref(),
            _ => None,
        }
    }

    /// The record of a stage. What it says is counted.
    fn record(&self, case: &mut Case, stage: Stage, host: &dyn Host) -> Record {
        let record = case.record(stage, host.now_ms(), &self.shared.node);
        crate::metrics::count(&record, host);
        record
    }

    /// Queues the record of the end.
    fn close(&mut self, case: &mut Case, status: Option<u16>, recorded: Option<String>, host: &dyn Host) {
        self.settle_budgets(case, host);
        let mut record = self.record(case, Stage::Close, host);
        if case.runtime().recording == RecordMode::Off {
            return;
        }
        record.status = status;
        self.queue(record, recorded, host);
    }

    /// Queues a record with the masked copy of its body.
    fn queue(&self, record: Record, masked: Option<String>, host: &dyn Host) {
        self.shared.queue.borrow_mut().push(record, masked);
        self.shared.hurry(host);
    }

    /// Writes down a stage, where policy records, to be told to control at leisure. `masked`: the copy of its body.
    fn write_down(&self, case: &mut Case, stage: Stage, masked: Option<String>, host: &dyn Host) {
        if case.runtime().recording != RecordMode::Off {
            let record = self.record(case, stage, host);
            self.queue(record, masked, host);
        }
    }

    /// Refuses a request of which there is a case: both ends are recorded, and the client reads why.
    fn refuse(
        &mut self,
        mut case: Case,
        refusal: &Refusal,
        recorded: Option<String>,
        host: &dyn Host,
    ) -> Step {
        self.write_down(&mut case, Stage::Open, recorded, host);
        self.refuse_opened(case, refusal, host)
    }

    /// The same, once the beginning is recorded.
    fn refuse_opened(&mut self, mut case: Case, refusal: &Refusal, host: &dyn Host) -> Step {
        self.answers = case.answers();
        let status = self.answers.as_ref().map_or(refusal.kind.status(), |own| own.status(refusal.kind));
        self.close(&mut case, Some(status), None, host);
        self.answer(refusal, refusal::comes_again(refusal), host)
    }

    /// Refuses a request of which there is no case, with `retry-after` where coming again helps.
    fn turn_away(&mut self, refusal: &Refusal, retry_after: Option<&str>, host: &dyn Host) -> Step {
        let runtime = self.shared.runtime.borrow().clone();
        if let Some(runtime) = runtime.filter(|own| own.recording != RecordMode::Off && !self.is_crowded()) {
            let version = runtime.policy_version.clone();
            let record = refused_record(refusal, host.random_id(), &self.shared.node, version, host.now_ms());
            crate::metrics::count(&record, host);
            self.queue(record, None, host);
        }
        self.answer(refusal, retry_after, host)
    }

    fn is_full(&self) -> bool {
        self.shared.queue.borrow().is_full()
    }

    fn is_crowded(&self) -> bool {
        self.shared.queue.borrow().is_crowded()
    }

    /// Sets a header; a host that refuses leaves us with a request that must not go on as it is.
    fn header(&self, side: Side, name: &str, value: &str, host: &dyn Host) -> bool {
        host.set_header(side, name, value).is_ok()
    }
}
