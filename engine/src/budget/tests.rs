//! Claims and tables together: what is admitted, and that nothing is lost or negative however many count at once.

use serde_json::{Value, json};

use super::*;
use crate::claude::error::ErrorKind;
use crate::identity::Principal;
use crate::policy::document::Policy;
use crate::record::Usage;

/// 10 s into an hour.
const NOW: u64 = 1_800_000_010_000;

fn budgets(value: Value) -> Budgets {
    let policy: Policy = serde_json::from_value(json!({
        "prices": [{ "name": "all", "models": ["claude-*"], "input": 3, "output": 15 }],
        "budgets": value,
    }))
    .unwrap();
    Budgets::new(&policy).unwrap()
}

fn person(subject: &str, groups: &[&str]) -> Principal {
    Principal {
        issuer: "id".into(),
        subject: subject.into(),
        groups: groups.iter().map(|group| (*group).into()).collect(),
        scopes: None,
        actor: None,
        expires_ms: u64::MAX,
    }
}

fn message(bytes: usize, max_tokens: u64) -> Demand {
    Demand::message(Some("claude-x".into()), bytes, Some(max_tokens))
}

fn claims(budgets: &Budgets, who: &Principal, demand: &Demand, now_ms: u64) -> Claims {
    budgets.claims(who, "messages.create", std::slice::from_ref(demand), now_ms).unwrap()
}

fn only(budgets: &Budgets, demand: &Demand, now_ms: u64) -> Claim {
    claims(budgets, &person("ann", &["staff"]), demand, now_ms).remove(0)
}

fn tokens(input: u64, output: u64) -> Spent {
    Spent { input_tokens: input, output_tokens: output, ..Spent::default() }
}

#[test]
fn a_budget_applies_by_group_subject_route_and_model() {
    let with = |more: Value| {
        let mut budget = json!({ "name": "b", "requests": 1, "window": "1m" });
        budget.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        budgets(json!([budget]))
    };
    let ann = person("ann", &["staff", "lab"]);
    let group = |name: &str| Holder::Group(name.into());
    let own = Holder::Person { issuer: "id".into(), subject: "ann".into() };
    for (what, budget, expected) in [
        ("everyone", with(json!({})), vec![own.clone()]),
        ("a group of theirs", with(json!({ "groups": ["staff"] })), vec![own.clone()]),
        ("another group", with(json!({ "groups": ["other"] })), vec![]),
        ("their name", with(json!({ "subjects": ["ann"] })), vec![own.clone()]),
        ("another name", with(json!({ "subjects": ["bob"] })), vec![]),
        (
            "two groups together",
            with(json!({ "groups": ["staff", "other", "lab", "staff"], "per": "group" })),
            vec![group("lab"), group("staff")],
        ),
        ("the route", with(json!({ "routes": ["messages.*"] })), vec![own.clone()]),
        ("another route", with(json!({ "routes": ["files.*"] })), vec![]),
        ("the model", with(json!({ "models": ["claude-x*"] })), vec![own]),
        ("another model", with(json!({ "models": ["claude-y*"] })), vec![]),
    ] {
        let holders: Vec<_> =
            claims(&budget, &ann, &message(3, 1), NOW).into_iter().map(|claim| claim.key.holder).collect();
        assert_eq!(holders, expected, "{what}");
    }
}

#[test]
fn requests_are_counted_at_once_and_freed_by_the_next_window() {
    let budgets = budgets(json!([{ "name": "rate", "requests": 2, "window": "1m" }]));
    let plain = Demand::plain(None);
    let mut table = Table::default();
    let claim = only(&budgets, &plain, NOW);
    let standing = table.admit(&claim, "e1", NOW).unwrap();
    let header = |name: &str| {
        let headers = Standing::headers(std::slice::from_ref(&standing));
        headers.into_iter().find(|(own, _)| *own == name).unwrap().1
    };
    assert_eq!(header("anthropic-ratelimit-requests-remaining"), "1");
    table.admit(&claim, "e2", NOW).unwrap();
    let exceeded = table.admit(&claim, "e3", NOW).unwrap_err();
    assert_eq!(exceeded.why, Why::Requests);
    assert_eq!(exceeded.retry(NOW), Some((50, true)), "10 s into the minute");
    let named = |(name, _): &(&str, String)| name.starts_with("anthropic-ratelimit-unified-");
    assert!(!exceeded.headers(NOW).iter().any(named), "they would end Claude Code's attempts");
    let refusal = exceeded.refusal(NOW);
    assert_eq!((refusal.kind, refusal.rule.as_str()), (ErrorKind::RateLimit, "rate"));
    assert!(refusal.message.contains("allows 2 requests in 1m, and 2 were made"), "{}", refusal.message);
    let later = NOW + 50_000;
    table.admit(&only(&budgets, &plain, later), "e4", later).unwrap();
}

#[test]
fn a_long_rate_does_not_ask_a_client_to_wait_for_it() {
    let budgets = budgets(json!([{ "name": "rate", "requests": 1, "window": "1h" }]));
    let mut table = Table::default();
    let claim = only(&budgets, &Demand::plain(None), NOW);
    table.admit(&claim, "e1", NOW).unwrap();
    let exceeded = table.admit(&claim, "e2", NOW).unwrap_err();
    assert_eq!(exceeded.retry(NOW), Some((3590, false)));
    assert!(exceeded.headers(NOW).contains(&("anthropic-ratelimit-unified-status", "rejected".to_owned())));
}

#[test]
fn what_is_used_up_is_a_billing_error_with_figures_and_an_end() {
    let budgets = budgets(
        json!([{ "name": "team", "groups": ["staff"], "per": "group", "cost": "1.50", "window": "1h", "message": "Ask Bea." }]),
    );
    let mut table = Table::default();
    let demand = message(3, 10);
    let claim = only(&budgets, &demand, NOW);
    table.admit(&claim, "e1", NOW).unwrap();
    let usage = Usage { input_tokens: 10_000, output_tokens: 100_000, ..Usage::default() };
    let ended = Ended::Replied { status: 200, seen: None };
    let used = claim.used(ended, Some(usage), Some("claude-x-2026"), budgets.prices());
    assert_eq!(used.cost_micro_usd, 1_530_000);
    table.settle(&claim.key, "e1", used, NOW);
    let exceeded = table.admit(&claim, "e2", NOW).unwrap_err();
    let refusal = exceeded.refusal(NOW);
    assert_eq!(refusal.kind, ErrorKind::Billing);
    assert_eq!(
        refusal.message,
        format!(
            "budget `team` of group `staff` is used up: 1.53 of 1.50 US dollars in 1h; it is free again in 60 min, at {} UTC. Ask Bea.",
            utc(NOW + 3_590_000)
        )
    );
    assert_eq!(exceeded.retry(NOW), Some((3590, false)));
    assert!(exceeded.headers(NOW).contains(&("anthropic-ratelimit-unified-status", "rejected".to_owned())));
    // What uses no tokens goes on.
    assert!(table.check(&only(&budgets, &Demand::plain(None), NOW), NOW).is_ok());
}

#[test]
fn requests_under_way_reserve_what_they_may_use() {
    let budgets = budgets(json!([{ "name": "b", "tokens": 1000, "window": "1h" }]));
    let mut table = Table::default();
    let claim = only(&budgets, &message(300, 800), NOW);
    table.admit(&claim, "e1", NOW).unwrap();
    // 900 of 1000 are reserved: something is left, and the next one takes more than that.
    table.admit(&claim, "e2", NOW).unwrap();
    let exceeded = table.admit(&claim, "e3", NOW).unwrap_err();
    assert_eq!(exceeded.why, Why::Reserved(Box::new(Why::Tokens)));
    assert_eq!(exceeded.retry(NOW), Some((5, true)), "come again when one has ended");
    assert_eq!(exceeded.refusal(NOW).kind, ErrorKind::RateLimit);
    table.settle(&claim.key, "e1", tokens(50, 10), NOW);
    table.admit(&claim, "e3", NOW).unwrap();
}

#[test]
fn a_reservation_whose_worker_died_lapses() {
    let budgets = budgets(json!([{ "name": "b", "tokens": 10, "window": "24h" }]));
    let mut table = Table::default();
    table.admit(&only(&budgets, &message(300, 800), NOW), "e1", NOW).unwrap();
    let hour = NOW + 3_600_000;
    let claim = only(&budgets, &message(300, 800), hour);
    assert!(table.check(&claim, hour - 1).is_err());
    assert!(table.check(&claim, hour).is_ok());
}

#[test]
fn what_others_used_counts_and_what_they_reserved_is_forgotten_when_they_fall_silent() {
    let budgets = budgets(json!([{ "name": "b", "tokens": 1000, "window": "1h" }]));
    let mut table = Table::default();
    let claim = only(&budgets, &message(30, 10), NOW);
    let others = Counter { key: claim.key.clone(), used: tokens(600, 0), reserved: tokens(0, 400) };
    table.tell(std::slice::from_ref(&others), NOW);
    assert_eq!(table.check(&claim, NOW).unwrap_err().why, Why::Reserved(Box::new(Why::Tokens)));
    assert!(table.check(&claim, NOW + RESERVED_MS).is_ok());
    table.tell(&[Counter { used: tokens(600, 400), ..others }], NOW);
    assert_eq!(table.check(&claim, NOW + RESERVED_MS).unwrap_err().why, Why::Tokens);
    assert!(table.counters(NOW).all(|own| own.used.is_zero()), "what others told is not told back");
}

#[test]
fn a_batch_must_fit_and_is_charged_at_its_most() {
    let budgets = budgets(json!([{ "name": "b", "tokens": 1000, "requests": 5, "window": "1h" }]));
    let mut batch = Demand { apart: true, ..message(300, 300) };
    batch.join(&Demand { apart: true, ..message(300, 300) });
    let mut table = Table::default();
    let claim = only(&budgets, &batch, NOW);
    table.admit(&claim, "e1", NOW).unwrap();
    let used = claim.used(Ended::Replied { status: 200, seen: None }, None, None, budgets.prices());
    assert_eq!(used, Spent { cost_micro_usd: used.cost_micro_usd, ..tokens(200, 600) });
    table.settle(&claim.key, "e1", used, NOW);
    let exceeded = table.admit(&claim, "e2", NOW).unwrap_err();
    assert_eq!(exceeded.why, Why::TooMuch(Box::new(Why::Tokens)));
    assert_eq!(exceeded.refusal(NOW).kind, ErrorKind::Billing);
    assert_eq!(table.counters(NOW).next().unwrap().used.requests, 2);
    let failed = claim.used(Ended::Replied { status: 400, seen: None }, None, None, budgets.prices());
    assert!(failed.is_zero(), "a batch that was not created costs nothing");
}

#[test]
fn what_is_not_known_of_an_end_is_counted_on_the_safe_side() {
    let prices = budgets(json!([])).prices().clone();
    let demand = message(300, 500);
    let usage =
        |input, output| Some(Usage { input_tokens: input, output_tokens: output, ..Usage::default() });
    let replied = |status, seen| Ended::Replied { status, seen };
    for (what, ended, usage, expected) in [
        ("refused here", Ended::Refused, None, (0, 0)),
        ("an error of the API", replied(529, None), None, (0, 0)),
        ("whole", replied(200, None), usage(7, 8), (7, 8)),
        ("whole, and silent about its usage", replied(200, None), None, (100, 500)),
        ("the client left before a reply", Ended::Unanswered, None, (100, 0)),
        ("cut after its start", replied(200, Some(0)), usage(7, 1), (7, 1)),
        ("cut after 60 bytes", replied(200, Some(60)), usage(7, 1), (7, 20)),
        ("cut before it said anything", replied(200, Some(0)), None, (100, 0)),
    ] {
        let used = demand.used(ended, usage, None, &prices);
        assert_eq!((used.input_tokens, used.output_tokens), expected, "{what}");
    }
    assert!(Demand::plain(None).used(replied(200, None), usage(7, 8), None, &prices).is_zero());
}

#[test]
fn a_model_without_a_price_is_refused_where_cost_is_limited_and_only_there() {
    let costly = budgets(json!([{ "name": "b", "cost": 5, "window": "1h" }]));
    let free = budgets(json!([{ "name": "b", "tokens": 5, "window": "1h" }]));
    let ann = person("ann", &[]);
    let unknown = [Demand::message(Some("gpt".into()), 3, Some(1))];
    let exceeded = costly.claims(&ann, "messages.create", &unknown, NOW).unwrap_err();
    assert_eq!(exceeded.why, Why::Unpriced("gpt".into()));
    assert_eq!((exceeded.refusal(NOW).kind, exceeded.retry(NOW)), (ErrorKind::Permission, None));
    assert_eq!(free.claims(&ann, "messages.create", &unknown, NOW).unwrap().len(), 1);
    let counting = [Demand::plain(Some("gpt".into()))];
    assert!(costly.claims(&ann, "messages.count_tokens", &counting, NOW).is_ok(), "no tokens, no cost");
}

#[test]
fn the_worst_of_several_names_itself() {
    let budgets = budgets(json!([
        { "name": "minute", "requests": 1, "window": "1m" },
        { "name": "day", "requests": 1, "window": "24h" },
        { "name": "hour", "requests": 1, "window": "1h" },
    ]));
    let mut table = Table::default();
    let all = claims(&budgets, &person("ann", &[]), &Demand::plain(None), NOW);
    for claim in &all {
        table.admit(claim, "e1", NOW).unwrap();
    }
    let worst = all.iter().map(|claim| table.check(claim, NOW).unwrap_err()).reduce(Exceeded::worse).unwrap();
    assert_eq!(worst.budget, "day");
}

#[test]
fn a_table_forgets_windows_that_have_ended_and_nothing_else() {
    let budgets = budgets(json!([{ "name": "b", "requests": 9, "tokens": 9, "window": "1m" }]));
    let mut table = Table::default();
    for minute in 0..1000 {
        let now = NOW + minute * 60_000;
        table.admit(&only(&budgets, &Demand::plain(None), now), "e", now).unwrap();
        assert!(table.counters(now).count() <= 4);
    }
    assert!(table.counters(0).next().is_some());
    // A reply that ends long after its window finds its counter as long as it has reserved something.
    let claim = only(&budgets, &message(3, 1), NOW);
    table.admit(&claim, "slow", NOW).unwrap();
    table.evict(NOW + 600_000);
    assert!(table.counters(NOW).any(|counter| counter.key == claim.key));
    table.settle(&claim.key, "slow", tokens(1, 1), NOW + 600_000);
    assert!(table.counters(NOW).all(|counter| counter.key != claim.key));
}

/// Numbers that look random and are the same in every run (xorshift; Marsaglia 2003).
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Shared data as Envoy has it: a value, and a version that a writer must know.
#[derive(Default)]
struct Shared {
    bytes: Option<Vec<u8>>,
    version: u32,
}

impl Shared {
    fn read(&self) -> (Table, u32) {
        let table = self.bytes.as_ref().map(|bytes| serde_json::from_slice(bytes).unwrap());
        (table.unwrap_or_default(), self.version)
    }

    fn write(&mut self, table: &Table, version: u32) -> bool {
        if version != self.version {
            return false;
        }
        self.bytes = Some(serde_json::to_vec(table).unwrap());
        self.version += 1;
        true
    }
}

/// A worker in the middle of a change: it has read, and not written yet.
enum Doing {
    Nothing,
    Admitting(Table, u32),
    Running(u64),
    Settling(Table, u32, u64),
}

#[test]
fn nothing_is_lost_or_overrun_however_workers_interleave() {
    const LIMIT: u64 = 5000;
    const MOST: u64 = 700;
    let budgets = budgets(json!([{ "name": "b", "tokens": LIMIT, "requests": 400, "window": "24h" }]));
    let claim = only(&budgets, &message(300, MOST - 100), NOW);
    for seed in 1..200 {
        let mut noise = Noise(seed);
        let mut shared = Shared::default();
        let (mut admitted, mut spent, mut next) = (0u64, 0u64, 0u64);
        let mut workers: Vec<Doing> = (0..6).map(|_| Doing::Nothing).collect();
        let mut collisions = 0;
        for _ in 0..600 {
            let at = usize::try_from(noise.below(6)).unwrap();
            workers[at] = match std::mem::replace(&mut workers[at], Doing::Nothing) {
                Doing::Nothing => {
                    let (table, version) = shared.read();
                    Doing::Admitting(table, version)
                }
                Doing::Admitting(mut table, version) => {
                    let id = next;
                    next += 1;
                    match table.admit(&claim, &id.to_string(), NOW) {
                        Err(_) => Doing::Nothing,
                        Ok(_) if shared.write(&table, version) => {
                            admitted += 1;
                            Doing::Running(id)
                        }
                        Ok(_) => {
                            collisions += 1;
                            Doing::Nothing
                        }
                    }
                }
                Doing::Running(id) => {
                    let (table, version) = shared.read();
                    Doing::Settling(table, version, id)
                }
                Doing::Settling(mut table, version, id) => {
                    let used = noise.below(MOST + 1);
                    table.settle(&claim.key, &id.to_string(), tokens(0, used), NOW);
                    if shared.write(&table, version) {
                        spent += used;
                        Doing::Nothing
                    } else {
                        collisions += 1;
                        Doing::Running(id)
                    }
                }
            };
            let (table, _) = shared.read();
            let now = table.counters(NOW).next();
            let counted = now.as_ref().map_or(0, |counter| counter.used.tokens());
            assert_eq!(counted, spent, "seed {seed}");
            assert_eq!(now.map_or(0, |counter| counter.used.requests), admitted, "seed {seed}");
            assert!(spent < LIMIT + MOST, "seed {seed}: {spent}");
        }
        assert!(collisions > 0, "the workers never met");
    }
}
