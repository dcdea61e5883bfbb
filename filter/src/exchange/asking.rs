//! Questions to control: the record before the request goes on, and holds.

use sluice_engine::judge::{Case, Refusal, undecided};
use sluice_engine::record::Stage;
use sluice_engine::wire::{self, HoldAsk, HoldDecision, HoldState, OpenReply};

use super::refusal::unavailable;
use super::{Exchange, Forward, Question, State, Step};
use crate::host::{Call, Host, Side};
use crate::metrics::Counter;

/// Longest wait of one poll on a hold, in seconds.
const POLL_SECONDS: u64 = 25;
const OPEN_TIMEOUT_MS: u64 = 10_000;
/// After a failed poll on a hold: control may be restarting.
const RETRY_PAUSE_MS: u64 = 400;

/// What control's answer means for the exchange.
enum Heard {
    /// Not decided; ask again at once, control makes us wait.
    Waiting,
    /// Control will be asked again in a moment.
    Again,
    /// Go on: written, and the hold, if any, was settled.
    Settled,
    /// No decision within the time that clients wait.
    Undecided,
    /// Control cannot be asked.
    Away,
}

impl Exchange {
    /// Sends the question of the current state for the first time.
    pub(super) fn send_question(&mut self, host: &dyn Host) -> Step {
        let node = self.shared.node.clone();
        if let Some(ask) = self.question_mut().and_then(|question| question.open.hold.as_mut()) {
            ask.node = Some(node);
        }
        // The look at a tool's definition holds nothing by itself.
        let holds = |ask: &HoldAsk| ask.definition.is_none();
        if self.question().and_then(|question| question.ask.as_ref()).is_some_and(holds) {
            host.count(Counter::Held, 1);
        }
        self.ask_again(host)
    }

    /// Sends what is to be asked now: the question, or a poll on its hold.
    pub(super) fn ask_again(&mut self, host: &dyn Host) -> Step {
        let left = self.seconds_left(host);
        let Some(question) = self.question() else { return Step::Wait };
        let call = match &question.hold {
            None => serde_json::to_vec(&question.open).ok().map(|body| Call {
                method: "POST",
                path: wire::EXCHANGES.into(),
                body,
                form: false,
                timeout_ms: OPEN_TIMEOUT_MS,
            }),
            Some(hold) if question.approved => Some(Call {
                method: "POST",
                path: format!(
                    "{}/{hold}/use?exchange={}",
                    wire::HOLDS,
                    question.ask.as_ref().map(|ask| ask.exchange.as_str()).unwrap_or_default()
                ),
                body: Vec::new(),
                form: false,
                timeout_ms: OPEN_TIMEOUT_MS,
            }),
            Some(hold) => {
                let wait = POLL_SECONDS.min(left);
                Some(Call {
                    method: "POST",
                    path: format!("{}/{hold}/wait?seconds={wait}", wire::HOLDS),
                    body: Vec::new(),
                    form: false,
                    timeout_ms: (wait + 5) * 1000,
                })
            }
        };
        match call.map(|call| host.call(&call)) {
            Some(Ok(token)) => {
                self.set_token(Some(token));
                Step::Wait
            }
            _ => {
                host.count(Counter::ControlFailed, 1);
                let heard = self.unheard(host);
                self.conclude(heard, host)
            }
        }
    }

    /// Control did not answer, or not in a way that can be read. A hold that is known outlives a restart of
    /// control: it is asked about until the client's patience ends.
    fn unheard(&self, host: &dyn Host) -> Heard {
        if self.question().is_none_or(|question| question.hold.is_none()) {
            return Heard::Away;
        }
        if self.seconds_left(host) == 0 {
            return Heard::Undecided;
        }
        self.shared.retry_at(host.now_ms() + RETRY_PAUSE_MS, self.context, &self.own);
        Heard::Again
    }

    /// Control has answered the question, or failed to.
    pub(super) fn hear(&mut self, status: u16, body: &[u8], host: &dyn Host) -> Step {
        self.set_token(None);
        match self.read(status, body, host) {
            Heard::Waiting => self.ask_again(host),
            heard => self.conclude(heard, host),
        }
    }

    fn read(&mut self, status: u16, body: &[u8], host: &dyn Host) -> Heard {
        let polled = self.question().is_some_and(|question| question.hold.is_some());
        let state: Option<HoldState> = if status != 200 {
            None
        } else if polled {
            serde_json::from_slice(body).ok()
        } else {
            match serde_json::from_slice::<OpenReply>(body) {
                Ok(reply) if !reply.missing.is_empty() => return self.send_missing(&reply.missing),
                Ok(reply) => {
                    self.learn();
                    self.know_tools(&reply);
                    match (reply.hold, self.question().is_some_and(|question| question.ask.is_some())) {
                        (Some(state), true) => Some(state),
                        (None, false) => return Heard::Settled,
                        // A hold that was asked for and not answered is not an approval.
                        _ => None,
                    }
                }
                Err(_) => None,
            }
        };
        let Some(state) = state else {
            // A hold that control does not know is opened again by the client's retry.
            return if polled && status == 404 { Heard::Undecided } else { self.unheard(host) };
        };
        let used = !polled || self.question().is_some_and(|question| question.approved);
        match state.decision {
            // A wait only tells; the approval is ours once we have used it.
            HoldDecision::Approved | HoldDecision::Edited if !used => self.follow(state.id, true),
            HoldDecision::Waiting if self.seconds_left(host) == 0 => {
                self.follow(state.id, false);
                return Heard::Undecided;
            }
            HoldDecision::Waiting => self.follow(state.id, false),
            _ => {
                self.settle(&state);
                return Heard::Settled;
            }
        }
        Heard::Waiting
    }

    /// What is asked next is about this hold: to use its approval, or to wait for one.
    fn follow(&mut self, hold: String, approved: bool) {
        if let Some(question) = self.question_mut() {
            question.hold = Some(hold);
            question.approved = approved;
        }
    }

    /// Control lacks blocks that it once had: the question goes again with all of them.
    fn send_missing(&mut self, missing: &[String]) -> Heard {
        self.shared.queue.borrow_mut().forget(missing);
        let Some(question) = self.question_mut() else { return Heard::Away };
        if question.open.blocks.len() == question.blocks.len() {
            return Heard::Away;
        }
        question.open.blocks.clone_from(&question.blocks);
        // A moment that has passed: at the next tick.
        self.shared.retry_at(0, self.context, &self.own);
        Heard::Again
    }

    /// Control has said which definitions of listed tools are not approved.
    fn know_tools(&mut self, reply: &OpenReply) {
        if self.question().is_some_and(|question| question.open.tools.is_some())
            && let State::Collecting(case, _) | State::Streaming(case, ..) = &mut self.state
        {
            case.tools_known(&reply.unapproved);
        }
    }

    /// Control has what the question carried.
    fn learn(&self) {
        if let Some(question) = self.question() {
            self.shared.queue.borrow_mut().learn(&question.blocks);
        }
    }

    fn settle(&mut self, state: &HoldState) {
        let (case, question) = match &mut self.state {
            State::Asking(case, question, _) => (case, Some(question)),
            State::Collecting(case, question) | State::Streaming(case, _, question) => {
                (case, question.as_mut())
            }
            _ => return,
        };
        if let Some(ask) = question.and_then(|question| question.ask.as_ref()) {
            case.settle(ask, state);
        }
    }

    /// Goes on with the exchange.
    fn conclude(&mut self, heard: Heard, host: &dyn Host) -> Step {
        if matches!(heard, Heard::Again | Heard::Waiting) {
            return Step::Wait;
        }
        match std::mem::replace(&mut self.state, State::Done) {
            State::Asking(case, question, forward) => {
                self.conclude_request(case, question, forward, heard, host)
            }
            State::Collecting(case, Some(question)) => {
                if matches!(heard, Heard::Settled) {
                    self.state = State::Collecting(case, None);
                    return self.collect(true, host);
                }
                self.refuse_opened(case, &not_decided(&heard, &question), host)
            }
            State::Streaming(mut case, mut stream, Some(question)) => {
                let mut out = std::mem::take(&mut stream.pending);
                let flow = match heard {
                    Heard::Settled => stream.reply.resume(&mut case, &mut out),
                    _ => {
                        let words = format!("[Sluice] {}", not_decided(&heard, &question).message);
                        stream.reply.refuse(&mut case, &words, &mut out)
                    }
                };
                self.after_flow(case, stream, out, flow, host)
            }
            other => {
                self.state = other;
                Step::Wait
            }
        }
    }

    fn conclude_request(
        &mut self,
        case: Case,
        question: Question,
        mut forward: Forward,
        heard: Heard,
        host: &dyn Host,
    ) -> Step {
        if !matches!(heard, Heard::Settled) {
            return self.refuse_opened(case, &not_decided(&heard, &question), host);
        }
        let refused = question.ask.as_ref().and_then(|ask| case.refused(&ask.key, &ask.rule));
        if let Some(refusal) = refused {
            self.refuse_opened(case, &refusal, host)
        } else if let Some(ask) = forward.holds.pop_front() {
            let next = Question::about(ask, question.since_ms);
            self.state = State::Asking(case, next, forward);
            self.send_question(host)
        } else {
            self.forward_approved(case, forward, host)
        }
    }

    /// Lets a request go on that has all approvals: as it is, or as reviewers have edited it. What they have changed is
    /// written down as the request was.
    fn forward_approved(&mut self, mut case: Case, mut forward: Forward, host: &dyn Host) -> Step {
        if !case.is_edited() {
            return self.forward(case, forward, host);
        }
        let body = match forward.body.take().map_or_else(|| host.body(Side::Request), Ok) {
            Ok(body) => body,
            Err(why) => return self.fault(&format!("request body: {why}"), host),
        };
        let edited = match case.edit(&body) {
            Ok(edited) => edited,
            Err(refusal) => return self.refuse_opened(case, &refusal, host),
        };
        if !self.header(Side::Request, "content-length", &edited.body.len().to_string(), host) {
            return self.fault("request headers could not be written", host);
        }
        forward.body = Some(edited.body);
        self.go_on(case, Stage::Edited, edited.recorded, forward, host)
    }

    fn question_mut(&mut self) -> Option<&mut Question> {
        match &mut self.state {
            State::Asking(_, question, _) => Some(question),
            State::Collecting(_, question) | State::Streaming(_, _, question) => question.as_mut(),
            _ => None,
        }
    }

    fn set_token(&mut self, token: Option<u32>) {
        if let Some(question) = self.question_mut() {
            question.token = token;
        }
    }

    /// How long the client can still be kept waiting.
    fn seconds_left(&self, host: &dyn Host) -> u64 {
        let Some(question) = self.question() else { return 0 };
        let policy = match &self.state {
            State::Asking(case, ..) | State::Collecting(case, _) | State::Streaming(case, ..) => {
                case.patience()
            }
            _ => None,
        };
        let most = self.shared.settings.config.hold_seconds;
        let end_ms = question.since_ms + policy.map_or(most, |own| own.min(most)) * 1000;
        end_ms.saturating_sub(host.now_ms()) / 1000
    }
}

/// What the client reads when nobody decided, or control is away.
fn not_decided(heard: &Heard, question: &Question) -> Refusal {
    match (heard, &question.ask) {
        (Heard::Undecided, Some(ask)) => undecided(ask, question.hold.as_deref()),
        (_, Some(ask)) => {
            let message = format!(
                "rule `{}` holds this until a person approves it, and the control service that asks them is away; try again later",
                ask.rule
            );
            unavailable("hold", &message)
        }
        (_, None) if question.open.tools.is_some() => unavailable(
            "tool_definition",
            "the definitions of these tools must be compared with those that were approved, and the control service is away; try again later",
        ),
        (_, None) => unavailable(
            "record",
            "this request must be recorded before it is forwarded, and the control service is away; try again later",
        ),
    }
}
