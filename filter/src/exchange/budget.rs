//! Budgets: a request is admitted to each that applies to it, and settles what it used at its end.

use sluice_engine::budget::{Claims, Exceeded, Spent, Standing};
use sluice_engine::judge::{Case, Refusal};
use sluice_engine::record::Stage;

use super::refusal::unavailable;
use super::{Exchange, Step};
use crate::budgets::{SHARDS, Unreadable};
use crate::host::{Host, Side};

/// Budgets of which something is reserved for an exchange.
pub(super) struct Admitted {
    claims: Claims,
    exchange: String,
    standings: Vec<Standing>,
}

/// Why a request is not admitted.
pub(super) enum Barred {
    /// A budget does not allow it.
    Exceeded(Box<Exceeded>),
    /// It cannot be told what was used.
    Unknown(Refusal),
}

impl Exchange {
    /// Admits the request to every budget that applies. `refused`: it was refused for other reasons, and is only counted.
    pub(super) fn admit(&mut self, case: &Case, refused: bool, host: &dyn Host) -> Option<Barred> {
        let now_ms = host.now_ms();
        if case.budgets().is_empty() {
            return None;
        }
        let claims = match case.claims(now_ms) {
            Ok(claims) => claims,
            Err(exceeded) => return Some(Barred::Exceeded(exceeded)),
        };
        if claims.is_empty() {
            return None;
        }
        if refused {
            self.count(&claims, now_ms, host);
            return None;
        }
        if !self.shared.are_totals_known(host) {
            let message = "the gateway has just started and does not know yet what was used of your budgets; try again in a moment";
            return Some(Barred::Unknown(unavailable("budget", message)));
        }
        let mut admitted =
            Admitted { claims: Claims::new(), exchange: case.exchange().to_owned(), standings: Vec::new() };
        let mut barred = None;
        for claim in claims {
            let shard = claim.key.shard(SHARDS);
            let outcome = match barred {
                // What already keeps it out stands; whether this budget does so for longer is only looked at.
                Some(_) => {
                    let table = self.shared.table(shard, host);
                    table.map(|table| table.check(&claim, now_ms).map(|()| None))
                }
                None => self.shared.change_table(shard, host, |table| {
                    table.admit(&claim, &admitted.exchange, now_ms).map(Some)
                }),
            };
            match outcome {
                Ok(Ok(Some(standing))) => {
                    admitted.standings.push(standing);
                    admitted.claims.push(claim);
                }
                Ok(Ok(None)) => {}
                Ok(Err(exceeded)) => {
                    barred = Some(match barred {
                        Some(Barred::Exceeded(other)) => Barred::Exceeded(other.worse(exceeded)),
                        Some(other) => other,
                        None => Barred::Exceeded(exceeded),
                    });
                }
                Err(why) => barred = Some(self.unreadable(why)),
            }
        }
        self.admitted = Some(admitted);
        if barred.is_some() {
            self.release(|_| Spent::default(), host);
        }
        barred
    }

    fn unreadable(&self, why: Unreadable) -> Barred {
        log::error!("sluice: {why}; requests under a budget are refused");
        Barred::Unknown(unavailable(
            "budget",
            "the gateway cannot count what is used of your budgets; try again later",
        ))
    }

    /// Counts a request that goes no further.
    fn count(&self, claims: &Claims, now_ms: u64, host: &dyn Host) {
        for claim in claims {
            let counted =
                self.shared.change_table(claim.key.shard(SHARDS), host, |table| table.count(claim, now_ms));
            if let Err(why) = counted {
                log::error!("sluice: {why}");
            }
        }
    }

    /// Refuses a request that is not admitted: recorded, with the headers that clients read.
    pub(super) fn bar(
        &mut self,
        mut case: Case,
        barred: &Barred,
        recorded: Option<String>,
        host: &dyn Host,
    ) -> Step {
        let now_ms = host.now_ms();
        let exceeded = match barred {
            Barred::Exceeded(exceeded) => exceeded,
            Barred::Unknown(refusal) => {
                case.note(refusal);
                return self.refuse(case, refusal, recorded, host);
            }
        };
        let refusal = exceeded.refusal(now_ms);
        case.note(&refusal);
        self.write_down(&mut case, Stage::Open, recorded, host);
        self.answers = case.answers();
        let status = self.answers.as_ref().map_or(refusal.kind.status(), |own| own.status(refusal.kind));
        self.close(&mut case, Some(status), None, host);
        let retry = exceeded.retry(now_ms);
        let seconds = retry.map(|(seconds, _)| seconds.to_string());
        let own = exceeded.headers(now_ms);
        let mut headers: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(seconds.as_deref().map(|seconds| ("retry-after", seconds)));
        self.answer_with(&refusal, retry.is_some_and(|(_, again)| again), &headers, host)
    }

    /// Says on the reply how the caller stands.
    pub(super) fn show_standing(&self, host: &dyn Host) {
        let Some(admitted) = &self.admitted else { return };
        for (name, value) in Standing::headers(&admitted.standings) {
            // Only for information: a reply without them is a reply.
            let _ = host.set_header(Side::Response, name, &value);
        }
    }

    /// Counts what the exchange used, at its end.
    pub(super) fn settle_budgets(&mut self, case: &Case, host: &dyn Host) {
        let Some(admitted) = &self.admitted else { return };
        let used = case.used(&admitted.claims, self.forwarded, self.status);
        self.release(|at| used.get(at).copied().unwrap_or_default(), host);
    }

    /// The exchange failed in a way that left no case: what went upstream counts at its most.
    pub(super) fn give_up(&mut self, host: &dyn Host) {
        let Some(admitted) = &self.admitted else { return };
        let forwarded = self.forwarded;
        let most: Vec<Spent> = admitted.claims.iter().map(|claim| claim.most()).collect();
        self.release(|at| most.get(at).copied().filter(|_| forwarded).unwrap_or_default(), host);
    }

    /// Gives back what is reserved, and counts what was used of each claim instead.
    fn release(&mut self, used: impl Fn(usize) -> Spent, host: &dyn Host) {
        let Some(admitted) = self.admitted.take() else { return };
        let now_ms = host.now_ms();
        for (at, claim) in admitted.claims.iter().enumerate().filter(|(_, claim)| claim.reserves()) {
            let key = &claim.key;
            let settled = self.shared.change_table(key.shard(SHARDS), host, |table| {
                table.settle(key, &admitted.exchange, used(at), now_ms);
            });
            if let Err(why) = settled {
                log::error!("sluice: {why}");
            }
        }
    }
}
