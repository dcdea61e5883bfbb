use super::*;
use crate::holds::tests::ask;

pub fn who(subject: &str, groups: &[&str]) -> Who {
    Who {
        issuer: "corp".into(),
        subject: subject.into(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
    }
}

pub fn delegation(id: &str, from: Who, to: &str) -> Delegation {
    Delegation {
        id: id.into(),
        groups: from.groups.clone(),
        from,
        issuer: "corp".into(),
        subject: to.into(),
        reason: "away".into(),
        created_ms: 0,
        ends_ms: 1000,
        ended: None,
    }
}

fn voice(subject: &str, approve: bool, on_behalf: Option<&Delegation>) -> Voice {
    let by = DecidedBy::new(&who(subject, &[]), 1, None);
    Voice {
        approve,
        by: DecidedBy { on_behalf: on_behalf.map(Delegation::named), ..by },
        span: None,
        masked: 0,
    }
}

struct Case {
    requester: Who,
    actor: Option<String>,
    groups: Vec<String>,
    teams: Vec<String>,
    quorum: u32,
    voices: Vec<Voice>,
}

impl Case {
    fn terms(&self) -> Terms<'_> {
        let Self { requester, actor, groups, teams, quorum, voices } = self;
        Terms { requester, actor: actor.as_deref(), groups, teams, quorum: *quorum, voices }
    }
}

fn case() -> Case {
    Case {
        requester: who("ana@example.com", &["writers", "team-a"]),
        actor: None,
        groups: vec!["approvers".into()],
        teams: vec!["team-a".into()],
        quorum: 2,
        voices: Vec::new(),
    }
}

#[test]
fn the_requester_and_their_team_never_decide_whatever_issuer_case_or_group() {
    let case = case();
    let stands = |who: &Who| case.terms().standing(who, true, &[], 0);
    let other = Who { issuer: "other".into(), ..who("ana@example.com", &["approvers"]) };
    let group = Bar::Group(vec!["approvers".into()]);
    for (person, expected) in [
        (who("ana@example.com", &["approvers"]), Err(Bar::Requester)),
        (other, Err(Bar::Requester)),
        (who(" Ana@Example.com", &["approvers"]), Err(Bar::Requester)),
        (who("ben", &["approvers", "team-a"]), Err(Bar::Team("team-a".into()))),
        (who("ben", &["approvers", "team-b"]), Ok(None)),
        (who("ben", &["writers"]), Err(group.clone())),
        (who("ben", &["Approvers"]), Err(group)),
    ] {
        assert_eq!(stands(&person), expected, "{person:?}");
    }
}

#[test]
fn one_denial_denies_and_approvals_count_by_person() {
    for (quorum, voices, verdict) in [
        (1, vec![], None),
        (0, vec![], None),
        (1, vec![true], Some(true)),
        (2, vec![true], None),
        (2, vec![true, true], Some(true)),
        (3, vec![true, false], Some(false)),
    ] {
        let voices =
            voices.into_iter().enumerate().map(|(n, yes)| voice(&format!("p{n}"), yes, None)).collect();
        let case = Case { quorum, voices, ..case() };
        assert_eq!(case.terms().verdict(), verdict, "{quorum} {:?}", case.voices);
    }
    let case = Case { voices: vec![voice("ben", true, None)], ..case() };
    let again =
        |subject: &str, approve| case.terms().standing(&who(subject, &["approvers"]), approve, &[], 0);
    assert_eq!(again("BEN", true), Err(Bar::Spoken));
    assert_eq!(again("BEN", false), Ok(None), "who approved may still refuse");
    assert_eq!(again("bea", true), Ok(None));
}

#[test]
fn a_right_that_was_handed_over_reaches_no_further_than_its_givers() {
    let eve = who("eve", &["staff"]);
    let from = |subject: &str, groups: &[&str]| delegation("d", who(subject, groups), "eve");
    let stands = |case: &Case, given: &[Delegation], now_ms| case.terms().standing(&eve, true, given, now_ms);
    let ben = from("ben", &["approvers"]);
    assert_eq!(stands(&case(), std::slice::from_ref(&ben), 999), Ok(Some(ben.named())));
    let nobody = Err(Bar::Group(vec!["approvers".into()]));
    assert_eq!(stands(&case(), std::slice::from_ref(&ben), 1000), nobody, "its time is over");
    let ended = Delegation { ended: Some(DecidedBy::new(&eve, 1, None)), ..ben.clone() };
    assert_eq!(stands(&case(), &[ended], 1), nobody);
    assert_eq!(stands(&case(), &[from("ben", &["others"])], 1), nobody);
    let namesake = Delegation { issuer: "other".into(), ..ben.clone() };
    assert_eq!(stands(&case(), &[namesake], 1), nobody);
    for giver in [from("ANA@example.com", &["approvers"]), from("bob", &["approvers", "team-a"])] {
        let name = giver.from.subject.clone();
        assert_eq!(
            stands(&case(), &[giver], 1),
            Err(Bar::Giver(name)),
            "nor for the requester or their team"
        );
    }
    // One right is one voice, whoever speaks with it.
    let spoken = Case { voices: vec![voice("ben", true, None)], ..case() };
    assert_eq!(stands(&spoken, std::slice::from_ref(&ben), 1), Err(Bar::Spoken));
    let bea = from("bea", &["approvers"]);
    assert_eq!(stands(&spoken, &[ben.clone(), bea.clone()], 1), Ok(Some(bea.named())));
    let lent = Case { voices: vec![voice("carl", true, Some(&ben))], ..case() };
    assert_eq!(lent.terms().standing(&who("ben", &["approvers"]), true, &[], 1), Err(Bar::Spoken));
    assert_eq!(stands(&lent, &[ben], 1), Err(Bar::Spoken));
}

#[test]
fn who_acts_on_anothers_behalf_decides_as_little_as_they_do() {
    let case = Case { actor: Some("kim".into()), ..case() };
    let stands = |subject: &str, given: &[Delegation]| {
        case.terms().standing(&who(subject, &["approvers"]), true, given, 0).err()
    };
    assert_eq!(
        (stands("Kim", &[]), stands("ana@example.com", &[])),
        (Some(Bar::Requester), Some(Bar::Requester))
    );
    assert_eq!(stands("ben", &[]), None);
    let given = delegation("d", who("kim", &["approvers"]), "lea");
    let bar = case.terms().standing(&who("lea", &[]), true, &[given], 0).err();
    assert_eq!(bar, Some(Bar::Giver("kim".into())), "nor does anybody for them");
}

fn span(seconds: u64, anything: bool) -> Option<Span> {
    Some(Span { seconds, anything })
}

fn asked() -> HoldAsk {
    HoldAsk { grant_seconds: Some(3600), ..ask("k", "e") }
}

use sluice_engine::wire::HoldAsk;

#[test]
fn a_pass_is_as_short_and_as_narrow_as_the_most_careful_of_its_approvers_wants() {
    let voices = |spans: &[Option<Span>]| -> Vec<Voice> {
        spans.iter().map(|span| Voice { span: *span, ..voice("ben", true, None) }).collect()
    };
    let made = |ask: &HoldAsk, spans: &[Option<Span>]| {
        Pass::of("p".into(), "h", ask, &voices(spans), 1000).map(|pass| (pass.ends_ms, pass.anything))
    };
    assert_eq!(made(&asked(), &[span(60, true), span(30, false)]), Some((31_000, false)));
    assert_eq!(made(&asked(), &[span(60, true), None]), None, "one of them approved once");
    assert_eq!(
        made(&asked(), &[span(7200, true)]),
        Some((3_601_000, true)),
        "never longer than policy offers"
    );
    assert_eq!(made(&ask("k", "e"), &[span(60, true)]), None, "where policy offers it at all");
    assert_eq!(made(&asked(), &[]), None);
}

#[test]
fn what_goes_on_by_a_pass_is_told_in_words() {
    let told = |change: fn(&mut HoldAsk), anything| {
        let mut ask = asked();
        change(&mut ask);
        let voices = [Voice { span: span(60, anything), ..voice("ben", true, None) }];
        Pass::of("p".into(), "h", &ask, &voices, 0).unwrap().what()
    };
    assert_eq!(told(|_| {}, false), "Bash: write");
    assert_eq!(told(|ask| ask.effects = Vec::new(), false), "Bash");
    assert_eq!(told(|ask| ask.tool = None, false), "requests");
    let result = |ask: &mut HoldAsk| {
        ask.tool = None;
        ask.part = sluice_engine::policy::document::Part::ToolResult;
    };
    assert_eq!(told(result, false), "what tools give back");
    assert_eq!(told(result, true), "whatever the rule holds");
}

#[test]
fn a_pass_covers_the_same_person_rule_and_terms_until_it_ends() {
    let narrow = Pass::of(
        "p".into(),
        "h",
        &asked(),
        &[Voice { span: span(60, false), ..voice("ben", true, None) }],
        0,
    )
    .unwrap();
    let wide = Pass { anything: true, ..narrow.clone() };
    let of = |change: fn(&mut HoldAsk)| {
        let mut ask = asked();
        change(&mut ask);
        (narrow.covers(&ask, 1), wide.covers(&ask, 1))
    };
    assert_eq!(of(|ask| ask.key = "other".into()), (true, true));
    assert_eq!(of(|ask| ask.effects = Vec::new()), (true, true), "less than what was approved");
    for (what, change) in [
        ("another tool", (|ask| ask.tool = Some("Write".into())) as fn(&mut HoldAsk)),
        ("another effect", |ask| ask.effects.push("destroy: DROP TABLE x".into())),
        ("another part", |ask| ask.part = sluice_engine::policy::document::Part::Prompt),
    ] {
        assert_eq!(of(change), (false, true), "{what}");
    }
    for (what, change) in [
        ("another rule", (|ask| ask.rule = "other".into()) as fn(&mut HoldAsk)),
        ("another person", |ask| ask.who.subject = "bob".into()),
        ("another issuer", |ask| ask.who.issuer = "other".into()),
        ("on their behalf", |ask| ask.actor = Some("agent-7".into())),
        ("other approvers now", |ask| ask.approvers.push("more".into())),
        ("more people now", |ask| ask.quorum = 2),
        ("another team", |ask| ask.teams = vec!["team-b".into()]),
        ("no longer offered", |ask| ask.grant_seconds = None),
    ] {
        assert_eq!(of(change), (false, false), "{what}");
    }
    assert!(narrow.covers(&asked(), 59_999) && !narrow.covers(&asked(), 60_000));
    let shorter = HoldAsk { grant_seconds: Some(30), ..asked() };
    assert!(narrow.covers(&shorter, 29_999) && !narrow.covers(&shorter, 30_000), "policy offers less by now");
    let revoked = Pass { revoked: Some(DecidedBy::new(&who("ben", &[]), 1, None)), ..narrow };
    assert!(!revoked.covers(&asked(), 1));
}
