use super::*;
use crate::record::Stage;

#[test]
fn the_server_takes_its_scope() {
    let strangers = json!({"roles":[{"name":"all","scopes":["mcp.other","messages.*"]}]});
    let (_, allowed) = open(policy(strangers), "POST", &[]);
    let refusal = allowed.unwrap_err();
    assert_eq!((refusal.kind, refusal.rule.as_str()), (ErrorKind::Permission, "scope"));
    assert!(refusal.message.contains("mcp.notes"), "{}", refusal.message);
    for scopes in ["mcp.*", "mcp.notes", "*"] {
        let roles = json!({"roles":[{"name":"all","scopes":[scopes]}]});
        assert_eq!(open(policy(roles), "POST", &[]).1, Ok(()), "{scopes}");
    }
}

#[test]
fn what_is_known_passes_byte_for_byte_and_what_is_not_is_refused_by_name() {
    for (method, params) in [
        ("initialize", json!({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x"}})),
        ("ping", json!({})),
        ("tools/list", json!({})),
        ("tools/call", json!({"name":"read","arguments":{"id":1}})),
        ("resources/read", json!({"uri":"note://1"})),
        ("prompts/get", json!({"name":"p"})),
        ("server/discover", json!({})),
    ] {
        let judged = ask(&mut case(json!({})), &request(method, params));
        assert!(judged.refusal.is_none() && judged.body.is_none() && judged.holds.is_empty(), "{method}");
    }
    let unknown = (ErrorKind::NotFound, "method".to_owned());
    for method in ["vendor/secret", "Tools/call", "tools/call ", "sampling/createMessage", ""] {
        assert_eq!(refused(json!({}), &request(method, json!({}))), unknown, "{method}");
    }
    let notification = json!({"jsonrpc":"2.0","method":"notifications/from_the_future"});
    assert_eq!(refused(json!({}), &notification), unknown);
    let open = json!({"mcp":[{"name":"notes","path":"/mcp/notes","methods":["vendor/*"]}]});
    asked(open, &request("vendor/secret", json!({})));
}

#[test]
fn a_tool_that_the_role_denies_is_not_called_and_the_model_reads_why() {
    let mut case = case(json!({}));
    let refusal = ask(&mut case, &call("drop_all", json!({}))).refusal.unwrap();
    assert_eq!((refusal.kind, refusal.rule.as_str()), (ErrorKind::Permission, "tool"));
    let answers = case.answers().unwrap();
    let body: Json = serde_json::from_str(&answers.message(refusal.kind, &refusal.message)).unwrap();
    assert_eq!(
        (answers.status(refusal.kind), &body["id"], &body["result"]["isError"]),
        (200, &json!(7), &json!(true))
    );
    assert!(
        body["result"]["content"][0]["text"].as_str().unwrap().contains("mcp__notes__drop_all"),
        "{body}"
    );
    let record = case.record(Stage::Open, 1, "n");
    let named: Vec<_> = record.decisions.iter().map(|d| (d.rule.as_str(), d.tool.as_deref())).collect();
    assert_eq!(named, [("tool", Some("mcp__notes__drop_all"))]);
    // Where a role lists tools, reading resources is one of them.
    let narrow = json!({"roles":[{"name":"all","scopes":["mcp.*"],"tools":{"allow":["mcp__notes__read"]}}]});
    asked(narrow.clone(), &call("read", json!({})));
    assert_eq!(refused(narrow, &request("resources/read", json!({"uri":"note://1"}))).1, "tool");
}

#[test]
fn calls_are_judged_by_the_rules_that_judge_what_the_model_calls() {
    let rules = json!({"rules":[
        rule("no-destruction", json!({"effects":["destroy"]}), "deny"),
        rule("writes", json!({"effects":["write"]}), "hold"),
        rule("also", json!({"tools":["mcp__notes__sql"],"input":"INSERT"}), "hold"),
    ]});
    asked(rules.clone(), &call("sql", json!({"query":"select 1"})));
    for (arguments, what) in [
        (json!({"query":"DROP DATABASE shop"}), "plain"),
        (json!({"Query":"DROP DATABASE shop"}), "a field in another case, as servers in Go take it"),
        (json!({"options":{"sql":"drop table orders"}}), "nested"),
        (json!({"query":"{\"sql\":\"drop table orders\"}"}), "JSON in a string"),
    ] {
        assert_eq!(refused(rules.clone(), &call("sql", arguments)).1, "no-destruction", "{what}");
    }
    let judged = ask(&mut case(rules), &call("sql", json!({"query":"INSERT INTO t VALUES (1)"})));
    let names: Vec<_> = judged.holds.iter().map(|hold| hold.rule.as_str()).collect();
    assert_eq!((judged.refusal, names), (None, vec!["writes", "also"]));
    assert_eq!(judged.holds[0].tool.as_deref(), Some("mcp__notes__sql"));
    assert!(judged.holds[0].preview.contains("INSERT"), "{}", judged.holds[0].preview);
}

#[test]
fn a_hold_has_the_same_key_in_another_session_and_id_and_another_for_another_call() {
    let key = |session: &str, body: &Json| {
        let rules = json!({"rules":[rule("writes", json!({"effects":["write"]}), "hold")]});
        let (mut case, _) = open(policy(rules), "POST", &[("mcp-session-id", session)]);
        ask(&mut case, body).holds[0].key.clone()
    };
    let body = call("sql", json!({"query":"INSERT INTO t VALUES (1)","x":1}));
    let mut again = call("sql", json!({"x":1,"query":"INSERT INTO t VALUES (1)"}));
    again["id"] = json!("other");
    assert_eq!(key("s1", &body), key("s2", &again));
    assert_ne!(key("s1", &body), key("s1", &call("sql", json!({"query":"INSERT INTO t VALUES (2)","x":1}))));
}

#[test]
fn a_message_that_two_readers_could_take_differently_is_refused() {
    for body in [
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","Name":"drop_all"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"drop_all"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{}}}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} {}",
        "",
        "ping",
    ] {
        let refusal = case(json!({})).request(body.as_bytes(), &[]).refusal;
        assert_eq!(refusal.map(|r| r.kind), Some(ErrorKind::InvalidRequest), "{body}");
    }
}

#[test]
fn headers_must_say_what_the_body_says() {
    let body = call(
        "read",
        json!({"region":"eu","n":5,"tenant_id":"t1","a":{"zone":"z1","twice":1},"twice":2,"l":[{"other":"x"}]}),
    );
    for (headers, good) in [
        (&[("mcp-method", "tools/call"), ("mcp-name", "read"), ("mcp-param-region", "eu")][..], true),
        (&[("mcp-param-n", "5")][..], true),
        (&[("mcp-param-tenantid", "t1"), ("mcp-param-zone", "z1")][..], true),
        (&[("mcp-param-tenant", "t1")][..], false),
        (&[("mcp-param-region", "t1")][..], false),
        (&[("mcp-param-twice", "1")][..], false),
        (&[("mcp-param-other", "x")][..], false),
        (&[("mcp-method", "tools/list")][..], false),
        (&[("mcp-name", "drop_all")][..], false),
        (&[("mcp-param-region", "us")][..], false),
        (&[("mcp-param-other", "DROP TABLE x")][..], false),
    ] {
        let (mut case, allowed) = open(policy(json!({})), "POST", headers);
        allowed.unwrap();
        assert_eq!(ask(&mut case, &body).refusal.is_none(), good, "{headers:?}");
    }
    for headers in
        [&[("content-type", "text/plain")][..], &[("mcp-session-id", "a"), ("mcp-session-id", "b")]]
    {
        assert!(open(policy(json!({})), "POST", headers).1.is_err(), "{headers:?}");
    }
    assert!(open(policy(json!({})), "PUT", &[]).1.is_err());
}

#[test]
fn arguments_reach_the_server_as_they_are_or_masked_as_policy_says() {
    let body = call("mail", json!({"to":MAIL}));
    let judged = ask(&mut case(json!({})), &body);
    assert_eq!(judged.body, None);
    assert!(!judged.recorded.unwrap().contains(MAIL));
    let masks = json!({"masking":{"toolInputs":"mask"}});
    let (mut case, _) = open(policy(masks), "POST", &[("mcp-param-to", MAIL)]);
    let sent = String::from_utf8(ask(&mut case, &body).body.unwrap()).unwrap();
    assert!(!sent.contains(MAIL) && sent.contains("<email:~"), "{sent}");
    let (name, value) = &case.changed_headers()[0];
    assert!(name == "mcp-param-to" && sent.contains(value.as_str()), "{value}");
}

#[test]
fn a_client_offers_a_server_only_what_the_server_may_ask_for() {
    let offers =
        json!({"sampling":{},"elicitation":{"form":{}},"roots":{"listChanged":true},"experimental":{}});
    let body = request("initialize", json!({"protocolVersion":"2025-11-25","capabilities":offers}));
    let sent = |more: Json| -> Json {
        let judged = ask(&mut case(more), &body);
        serde_json::from_slice(&judged.body.unwrap()).unwrap()
    };
    assert_eq!(sent(json!({}))["params"]["capabilities"], json!({"experimental":{}}));
    let may = json!({"mcp":[{"name":"notes","path":"/mcp/notes","serverMayAsk":["elicitation"]}]});
    assert_eq!(sent(may)["params"]["capabilities"], json!({"elicitation":{"form":{}},"experimental":{}}));
    let body = request(
        "tools/list",
        json!({"_meta":{"io.modelcontextprotocol/clientCapabilities":{"sampling":{},"x":{}}}}),
    );
    let judged = ask(&mut case(json!({})), &body);
    assert!(!String::from_utf8(judged.body.unwrap()).unwrap().contains("sampling"));
}

#[test]
fn a_call_does_not_pass_as_a_notification() {
    let open = json!({"mcp":[{"name":"notes","path":"/mcp/notes","methods":["*"]}]});
    let notify = |method: &str| json!({"jsonrpc":"2.0","method":method,"params":{"name":"drop_all"}});
    for method in ["tools/call", "resources/read", "vendor/call", "notifications"] {
        let refusal = (ErrorKind::NotFound, "method".to_owned());
        assert_eq!(refused(open.clone(), &notify(method)), refusal, "{method}");
    }
    for method in ["notifications/vendor", "notifications/initialized"] {
        asked(open.clone(), &notify(method));
    }
}

#[test]
fn a_call_is_in_the_record_of_the_end_unless_it_was_refused() {
    let ended = |tool: &str, hold: Option<crate::wire::HoldDecision>| {
        let rule = json!({"name":"held","when":{"tools":["mcp__notes__put"]},"action":"hold","approval":{"groups":["a"]}});
        let mut case = case(json!({"rules":[rule]}));
        let judged = ask(&mut case, &call(tool, json!({})));
        if let (Some(held), Some(decision)) = (judged.holds.first(), hold) {
            let state =
                crate::wire::HoldState { id: "h".into(), decision, reason: None, by: None, masked: vec![] };
            case.settle(&held, &state);
        }
        let open = case.record(crate::record::Stage::Open, 1, "n");
        assert!(open.calls.is_empty());
        (open.roles, case.record(crate::record::Stage::Close, 2, "n").calls)
    };
    use crate::wire::HoldDecision::{Approved, Denied};
    let all = vec!["all".to_owned()];
    assert_eq!(ended("get", None), (all.clone(), [("mcp__notes__get".to_owned(), 1)].into()));
    assert_eq!(ended("put", Some(Approved)), (all.clone(), [("mcp__notes__put".to_owned(), 1)].into()));
    assert_eq!(ended("put", Some(Denied)).1.len(), 0);
    assert_eq!(ended("drop_all", None).1.len(), 0);
}
