use serde_json::{Value as Json, json};

use crate::claude::error::ErrorKind;
use crate::judge::tests::case;
use crate::judge::{Case, Judged};

/// A role with these settings, for `staff`.
fn with_role(more: Json) -> Case {
    let mut role = json!({"name":"all","scopes":["*"],"models":["*"]});
    role.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    case(json!({"roles":[role],"recording":{"mode":"background"}}))
}

fn sent(case: &mut Case, body: &str) -> String {
    let judged = case.request(body.as_bytes(), &[]);
    assert_eq!(judged.refusal, None, "{body}");
    judged.body.map_or(body.to_owned(), |body| String::from_utf8(body).unwrap())
}

fn refused(case: &mut Case, body: &str) -> (ErrorKind, String) {
    let Judged { refusal, .. } = case.request(body.as_bytes(), &[]);
    let refusal = refusal.unwrap_or_else(|| panic!("{body}"));
    (refusal.kind, refusal.rule)
}

/// A body with these entries of `tools`, spaced oddly.
fn body(tools: &[String], more: &str) -> String {
    let tools = tools.join(" ,\n ");
    format!("{{ \"model\":\"m\",\n\"tools\" : [ {tools}\t] ,\"max_tokens\":9.50{more},\"messages\":[ ] }}")
}

fn tool(name: &str) -> String {
    format!("{{\"name\":  \"{name}\",\"description\":\"it \\u00e9 {name}\",\"input_schema\":{{\"n\":1e5}} }}")
}

#[test]
fn any_set_of_tools_can_be_taken_out_and_every_other_byte_stays() {
    for count in 0..6_u32 {
        for denied in 0..1_u32 << count {
            let is_denied = |n: u32| denied >> n & 1 == 1;
            let name = |n: u32| format!("{}{n}", if is_denied(n) { "Bad" } else { "Good" });
            let tools: Vec<String> = (0..count).map(|n| tool(&name(n))).collect();
            let body = body(&tools, "");
            let sent = sent(&mut with_role(json!({"tools":{"deny":["Bad*"]}})), &body);
            let kept: Vec<&String> =
                (0..count).zip(&tools).filter(|(n, _)| !is_denied(*n)).map(|(_, tool)| tool).collect();
            let read: Json = serde_json::from_str(&sent).unwrap_or_else(|e| panic!("{e}: {sent}"));
            assert_eq!(read["tools"].as_array().unwrap().len(), kept.len(), "{sent}");
            // What stays is as it came: head, each tool, tail; between them only what stood between tools.
            let mut rest = sent.strip_prefix("{ \"model\":\"m\",\n\"tools\" : [ ").unwrap();
            for (n, tool) in kept.iter().enumerate() {
                let separator = if n == 0 { "" } else { " ,\n " };
                rest =
                    rest.strip_prefix(separator).and_then(|rest| rest.strip_prefix(tool.as_str())).unwrap();
            }
            assert_eq!(rest, "\t] ,\"max_tokens\":9.50,\"messages\":[ ] }", "{count} {denied:b}");
        }
    }
}

#[test]
fn each_turn_loses_the_same_tools_and_the_record_names_them_and_the_role() {
    let role = json!({"tools":{"allow":["Read"],"deny":["Bash"]}});
    let tools = [tool("Bash"), tool("Read"), tool("Write")];
    let first = sent(&mut with_role(role.clone()), &body(&tools, ""));
    for turn in ["", ",\"stream\":true", ",\"metadata\":{}"] {
        let mut case = with_role(role.clone());
        let again = sent(&mut case, &body(&tools, turn));
        assert_eq!(again.replace(turn, ""), first);
        let record = case.record(crate::record::Stage::Open, 1, "n");
        let named: Vec<_> = record
            .decisions
            .iter()
            .map(|d| (d.rule.as_str(), d.tool.as_deref().unwrap(), d.role.as_deref()))
            .collect();
        assert_eq!(named, [("tool", "Bash", Some("all")), ("tool", "Write", None)]);
    }
}

#[test]
fn server_tools_and_mcp_servers_with_their_toolsets_are_taken_out_alike() {
    let tools = [
        "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}".to_owned(),
        "{\"type\":\"mcp_toolset\",\"mcp_server_name\":\"evil\"}".to_owned(),
        "{\"type\":\"mcp_toolset\",\"mcp_server_name\":\"good\"}".to_owned(),
    ];
    let servers = ",\"mcp_servers\":[{\"type\":\"url\",\"url\":\"https://evil.test/\",\"name\":\"evil\"},{\"type\":\"url\",\"url\":\"https://good.test/\",\"name\":\"good\"}]";
    let mut case = with_role(json!({"mcpServers":{"allow":["https://good.test"]}}));
    let sent: Json = serde_json::from_str(&sent(&mut case, &body(&tools, servers))).unwrap();
    assert_eq!(sent["tools"], json!([{"type":"mcp_toolset","mcp_server_name":"good"}]));
    assert_eq!(sent["mcp_servers"], json!([{"type":"url","url":"https://good.test/","name":"good"}]));
}

#[test]
fn a_demand_for_a_tool_that_is_taken_out_is_refused_and_an_idle_choice_goes_with_the_last_tool() {
    let role = json!({"tools":{"deny":["Bash"]}});
    let both = [tool("Bash"), tool("Read")];
    let one = [tool("Bash")];
    let choice = |choice: &str| format!(",\"tool_choice\":{choice}");
    let tool_denied = (ErrorKind::Permission, "tool".to_owned());
    for (tools, named) in [
        (&both[..], r#"{"type":"tool","name":"Bash"}"#),
        (&one[..], r#"{"type":"tool","name":"Bash"}"#),
        (&one[..], r#"{"type":"any"}"#),
        (&one[..], r#"{"type":"from_the_future"}"#),
    ] {
        assert_eq!(
            refused(&mut with_role(role.clone()), &body(tools, &choice(named))),
            tool_denied,
            "{named}"
        );
    }
    for (tools, idle, stays) in [
        (&both[..], r#"{"type":"any"}"#, true),
        (&both[..], r#"{"type":"auto"}"#, true),
        (&one[..], r#"{"type":"auto"}"#, false),
        (&one[..], r#"{"type":"none"}"#, false),
    ] {
        let sent = sent(&mut with_role(role.clone()), &body(tools, &choice(idle)));
        let sent: Json = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent.get("tool_choice").is_some(), stays, "{idle}");
        assert_eq!(sent["tools"].as_array().unwrap().len(), tools.len() - 1);
    }
}

#[test]
fn a_cache_breakpoint_on_a_tool_that_goes_moves_to_the_one_before_it() {
    let marked = |name: &str| {
        tool(name).replace("{\"name\"", "{\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"},\"name\"")
    };
    let marks = |tools: &[String]| {
        let sent = sent(&mut with_role(json!({"tools":{"deny":["Bad*"]}})), &body(tools, ""));
        let sent: Json = serde_json::from_str(&sent).unwrap();
        let tools = sent["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["cache_control"]["ttl"] == "1h").collect::<Vec<_>>()
    };
    assert_eq!(marks(&[tool("A"), tool("B"), marked("Bad1"), tool("Bad2")]), [false, true]);
    assert_eq!(marks(&[tool("A"), marked("Bad1"), marked("Bad2"), tool("B")]), [true, false]);
    assert_eq!(marks(&[marked("A"), marked("Bad1"), tool("B")]), [true, false]);
    assert_eq!(marks(&[marked("Bad1"), tool("A")]), [false]);
}

#[test]
fn a_role_that_refuses_wins_over_one_that_filters() {
    let tools = [tool("Bash"), tool("Read")];
    let roles = |offered: [&str; 2]| {
        let role = |name: &str, offered: &str| json!({"name":name,"scopes":["*"],"models":["*"],"tools":{"allow":["Read"]},"offered":offered});
        case(json!({"roles":[role("a", offered[0]), role("b", offered[1])],
            "bindings":[{"name":"staff","groups":["staff"],"roles":["a","b"]}]}))
    };
    for offered in [["refuse", "filter"], ["filter", "refuse"]] {
        assert_eq!(refused(&mut roles(offered), &body(&tools, "")).1, "tool");
    }
    assert!(!sent(&mut roles(["filter", "filter"]), &body(&tools, "")).contains("Bash"));
}

#[test]
fn a_value_in_a_tool_that_goes_leaves_no_trace_and_one_in_a_tool_that_stays_is_masked() {
    let with_card = |name: &str| tool(name).replace("it ", "card 4111 1111 1111 1111 ");
    for tools in [[with_card("Bad"), with_card("Good")], [with_card("Good"), with_card("Bad")]] {
        let sent = sent(&mut with_role(json!({"tools":{"deny":["Bad*"]}})), &body(&tools, ""));
        let read: Json = serde_json::from_str(&sent).unwrap();
        assert_eq!(read["tools"].as_array().unwrap().len(), 1, "{sent}");
        assert!(!sent.contains("4111") && sent.contains("<payment_card:"), "{sent}");
    }
}
