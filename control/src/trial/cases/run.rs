//! Cases are run, and what came of them is held against what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;
use sluice_engine::claude::routes;
use sluice_engine::identity::Principal;
use sluice_engine::judge::Runtime;
use sluice_engine::policy::check::nearest;

use super::bodies::{self, Ways};
use super::document::{Caller, Case, Expect};
use super::expect::{Difference, between, differences};
use super::files::{Suite, fault};
use super::forms::CallerForm;
use crate::policies::Fault;
use crate::trial::exchange::{Answer, Outcome, Request, Way, exchange, principal, way};
use crate::trial::runtime;

/// What came of everything.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How many cases came out as expected.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// The files, in the order in which they were given.
    pub suites: Vec<SuiteReport>,
    /// The policies.
    pub coverage: Vec<Coverage>,
}

/// What came of the cases of a file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuiteReport {
    /// The file.
    pub file: String,
    /// In its order.
    pub cases: Vec<CaseReport>,
}

/// What came of a case.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Who called.
    pub principal: Principal,
    /// Where it came out otherwise than expected; empty: it did not.
    pub differences: Vec<Difference>,
    /// Everything that came of it, with the steps.
    pub outcome: Outcome,
    /// How long it took, all of its ways together.
    #[serde(skip)]
    pub took: Duration,
}

/// Which rules of a policy some case reached.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The policy's files.
    pub policy: Vec<String>,
    /// Its rules.
    pub rules: Vec<String>,
    /// Those of which no case fulfilled all conditions.
    pub unreached: Vec<String>,
}

impl Coverage {
    /// How many of the rules were reached, in percent, rounded down; 100 where there is none.
    pub fn percent(&self) -> usize {
        let reached = self.rules.len().saturating_sub(self.unreached.len());
        (reached * 100).checked_div(self.rules.len()).unwrap_or(100)
    }
}

/// A case that can be run.
struct Ready<'s> {
    case: &'s Case,
    caller: Principal,
    request: Request,
    ways: Option<Ways>,
}

/// Runs the cases of files.
///
/// # Errors
/// Everything that is wrong with the files themselves; then nothing was run.
pub fn run(suites: &[Suite], now_ms: u64) -> Result<Report, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut all = Vec::new();
    for suite in suites {
        let compiled = runtime(&suite.policy, Vec::new(), now_ms)
            .map_err(|error| vec![fault(&suite.path, error.to_string())])?;
        let (ready, wrong) = prepare(suite, &compiled);
        faults.extend(wrong);
        all.push((suite, compiled, ready));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut report = Report { passed: 0, failed: 0, suites: Vec::new(), coverage: Vec::new() };
    let mut reached: BTreeMap<&str, (&Suite, BTreeSet<String>)> = BTreeMap::new();
    for (suite, compiled, ready) in &all {
        let run = |ready: &Ready<'_>| {
            let began = Instant::now();
            let try_one =
                |reply| exchange(compiled, &ready.caller, &ready.request, reply, ready.case.holds, now_ms);
            let mut ways = ready.ways.iter().flat_map(|ways| &ways.ways);
            let outcome = try_one(ways.next());
            let mut found = differences(&ready.case.expect, &outcome);
            // One other way that differs says enough.
            found.extend(ways.find_map(|way| between(&outcome, &try_one(Some(way)), way)));
            let name = ready.case.name.clone();
            let principal = ready.caller.clone();
            CaseReport { name, principal, differences: found, outcome, took: began.elapsed() }
        };
        let cases: Vec<CaseReport> = ready.iter().map(run).collect();
        report.failed += cases.iter().filter(|case| !case.differences.is_empty()).count();
        report.passed += cases.iter().filter(|case| case.differences.is_empty()).count();
        let (_, rules) = reached.entry(&suite.policy.version).or_insert_with(|| (suite, BTreeSet::new()));
        rules.extend(cases.iter().flat_map(|case| case.outcome.reached()).map(str::to_owned));
        report.suites.push(SuiteReport { file: suite.path.display().to_string(), cases });
    }
    report.coverage = reached.into_values().map(|(suite, reached)| coverage(suite, &reached)).collect();
    Ok(report)
}

fn coverage(suite: &Suite, reached: &BTreeSet<String>) -> Coverage {
    let rules: Vec<String> = suite.policy.policy.rules.iter().map(|rule| rule.name.clone()).collect();
    let unreached = rules.iter().filter(|rule| !reached.contains(*rule)).cloned().collect();
    Coverage { policy: suite.policy.files.clone(), rules, unreached }
}

/// Makes cases ready to run, or says what is wrong with them.
fn prepare<'s>(suite: &'s Suite, compiled: &Runtime) -> (Vec<Ready<'s>>, Vec<Fault>) {
    let mut ready = Vec::new();
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for (n, case) in suite.file.cases.iter().enumerate() {
        if !names.insert(&case.name) {
            faults.push(suite.fault(format!("cases[{n}].name"), "another case has this name already".into()));
        }
        match prepare_one(suite, compiled, n, case) {
            Ok(one) => ready.push(one),
            Err(fault) => faults.push(fault),
        }
    }
    (ready, faults)
}

fn prepare_one<'s>(
    suite: &'s Suite,
    compiled: &Runtime,
    n: usize,
    case: &'s Case,
) -> Result<Ready<'s>, Fault> {
    let below = |part: &str, wrong: bodies::Wrong| {
        let dot = if wrong.field.is_empty() { "" } else { "." };
        suite.fault(format!("cases[{n}].{part}{dot}{}", wrong.field), wrong.why)
    };
    let caller = caller(suite, n, case)?;
    let request = bodies::request(&case.request, suite.folder()).map_err(|e| below("request", e))?;
    goes_somewhere(case, &request, compiled).map_err(|e| below("request", e))?;
    let reply = case.reply.as_ref().map(|reply| bodies::reply(reply, suite.folder()));
    let ways = reply.transpose().map_err(|e| below("reply", e))?;
    let Expect { status, verdict, .. } = &case.expect;
    if case.holds != Answer::Wait && *verdict == crate::trial::exchange::Verdict::Hold {
        let why = "nothing still waits where `holds` says what reviewers decide; expect `allow` or `deny`";
        return Err(suite.fault(format!("cases[{n}].expect.verdict"), why.into()));
    }
    if status.is_some_and(|status| !(100..600).contains(&status)) {
        return Err(suite.fault(format!("cases[{n}].expect.status"), "is no HTTP status".into()));
    }
    Ok(Ready { case, caller, request, ways })
}

/// A case on a route that nobody has would be refused for its spelling and not by the policy.
fn goes_somewhere(case: &Case, request: &Request, compiled: &Runtime) -> Result<(), bodies::Wrong> {
    match way(compiled, request) {
        Err(_) if case.expect.rule.as_deref() == Some("route") => Ok(()),
        Err(why) => {
            let all: Vec<String> =
                routes::all().map(|route| format!("{} {}", route.method, route.path)).collect();
            let known: Vec<&str> = all.iter().map(String::as_str).collect();
            let near = nearest(&format!("{} {}", request.method, request.path), &known);
            let perhaps = near.map_or_else(String::new, |near| format!("; perhaps `{near}`?"));
            let why = format!(
                "{}, and no rule is asked; expect `rule: route` where a case shows that{perhaps}",
                why.message
            );
            Err(bodies::Wrong { field: "route", why })
        }
        Ok(Way::Mcp(_)) if request.method == "POST" && !case.request.is_whole() => {
            let why = "an MCP server takes a JSON-RPC message; give it as `body` or `file`";
            Err(bodies::Wrong { field: "", why: why.into() })
        }
        Ok(_) => Ok(()),
    }
}

fn caller(suite: &Suite, n: usize, case: &Case) -> Result<Principal, Fault> {
    let (name, caller, field): (&str, &Caller, String) = match &case.principal {
        CallerForm::Here(caller) => ("someone", caller, format!("cases[{n}].principal")),
        CallerForm::Name(name) => {
            let Some(caller) = suite.file.principals.get(name) else {
                let known: Vec<&str> = suite.file.principals.keys().map(String::as_str).collect();
                let perhaps = match nearest(name, &known) {
                    Some(near) => format!("; perhaps `{near}`?"),
                    None => String::new(),
                };
                let why = format!("`principals` has no `{name}`{perhaps}");
                return Err(suite.fault(format!("cases[{n}].principal"), why));
            };
            (name, caller, format!("principals.{name}"))
        }
    };
    let issuers: Vec<&str> = suite.policy.policy.issuers.iter().map(|one| one.name.as_str()).collect();
    let issuer = match &caller.issuer {
        None => issuers.first().copied().unwrap_or_default(),
        Some(issuer) if issuers.contains(&issuer.as_str()) => issuer,
        Some(issuer) => {
            let why = format!("the policy has no issuer `{issuer}`; it has {}", issuers.join(", "));
            return Err(suite.fault(format!("{field}.issuer"), why));
        }
    };
    let subject = caller.subject.as_deref().unwrap_or(name);
    let scopes = caller.scopes.as_ref().map(|scopes| scopes.0.clone());
    Ok(principal(issuer, subject, caller.groups.0.clone(), scopes))
}
