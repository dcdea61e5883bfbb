use super::*;

#[test]
fn an_endpoint_has_its_name_scope_and_kind() {
    for (method, path, name, scope, kind) in [
        ("POST", "/v1/messages", "messages.create", Some("messages.create"), Kind::Messages),
        (
            "POST",
            "/v1/messages/count_tokens",
            "messages.count_tokens",
            Some("messages.count_tokens"),
            Kind::CountTokens,
        ),
        ("POST", "/v1/messages/batches", "batches.create", Some("batches.create"), Kind::BatchCreate),
        ("GET", "/v1/messages/batches", "batches.list", Some("batches.read"), Kind::Batch),
        ("GET", "/v1/messages/batches/msgbatch_01", "batches.retrieve", Some("batches.read"), Kind::Batch),
        (
            "POST",
            "/v1/messages/batches/msgbatch_01/cancel",
            "batches.cancel",
            Some("batches.cancel"),
            Kind::Batch,
        ),
        (
            "GET",
            "/v1/messages/batches/msgbatch_01/results",
            "batches.results",
            Some("batches.read"),
            Kind::BatchResults,
        ),
        ("DELETE", "/v1/messages/batches/msgbatch_01", "batches.delete", Some("batches.delete"), Kind::Json),
        ("GET", "/v1/models", "models.list", Some("models.read"), Kind::Json),
        ("GET", "/v1/models/claude-opus-4-5@20251101", "models.retrieve", Some("models.read"), Kind::Json),
        ("POST", "/v1/files", "files.upload", Some("files.create"), Kind::Upload),
        ("GET", "/v1/files/file_011/content", "files.download", Some("files.read"), Kind::Download),
        ("DELETE", "/v1/files/file_011", "files.delete", Some("files.delete"), Kind::Json),
        ("POST", "/v1/skills/s1/versions", "skills.versions.create", Some("skills.write"), Kind::Upload),
        ("POST", "/v1/agents", "agents.create", Some("agents.write"), Kind::Json),
        (
            "GET",
            "/v1/sessions/s1/events/stream",
            "sessions.events.stream",
            Some("sessions.read"),
            Kind::Events,
        ),
        ("POST", "/v1/tunnels/t1/reveal_token", "tunnels.reveal_token", Some("tunnels.write"), Kind::Json),
        ("GET", "/v1/organizations/me", "organization.me", Some("organization.settings.read"), Kind::Json),
        (
            "DELETE",
            "/v1/organizations/users/u1",
            "organization.users.remove",
            Some("organization.users.write"),
            Kind::Json,
        ),
        (
            "GET",
            "/v1/organizations/spend_limits/effective",
            "organization.spend_limits.effective.list",
            Some("organization.spend_limits.read"),
            Kind::Json,
        ),
        (
            "GET",
            "/v1/organizations/spend_limits/sl_1",
            "organization.spend_limits.retrieve",
            Some("organization.spend_limits.read"),
            Kind::Json,
        ),
        ("HEAD", "/", "hello", None, Kind::Hello),
        ("HEAD", "/api/hello", "hello", None, Kind::Hello),
        ("GET", "/api/hello", "hello", None, Kind::Hello),
        ("POST", "/v1/oauth/token", "oauth.token", None, Kind::Token),
        ("POST", "/oauth/token", "oauth.token", None, Kind::Token),
        ("POST", "/v1/oauth/revoke", "oauth.revoke", None, Kind::Token),
        ("POST", "/v1/oauth/device", "oauth.device", None, Kind::Token),
        ("POST", "/oauth/device_authorization", "oauth.device", None, Kind::Token),
        ("GET", "/.well-known/oauth-authorization-server", "oauth.discovery", None, Kind::Token),
    ] {
        let found = route(method, path).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        assert_eq!((found.name, found.scope, found.kind), (name, scope, kind), "{method} {path}");
    }
}

#[test]
fn a_path_that_is_not_in_the_table_is_not_found() {
    for path in [
        "/v1",
        "/v1/complete",
        "/v1/message",
        "/v1/messages/batches/b1/results/x",
        "/v2/messages",
        "/api",
        "/api/event_logging/v2/batch",
        "/api/claude_code/settings",
        "/api/oauth/usage",
        "/v1/organizations",
        "/v1/oauth/hello",
        "/metrics",
        "/V1/messages",
        "/v1/Messages",
        "/v1/messages/batches/b1/Results",
    ] {
        assert_eq!(route("POST", path), Err(Refusal::Unknown), "{path}");
    }
    assert_eq!(Refusal::Unknown.kind(), ErrorKind::NotFound);
}

#[test]
fn a_path_that_another_reader_might_take_for_something_else_is_refused() {
    for path in [
        "",
        "v1/messages",
        "*",
        "//v1/messages",
        "/v1//messages",
        "/v1/messages/",
        "/v1/messages//",
        "/v1/./messages",
        "/v1/models/../messages",
        "/v1/models/..",
        "/v1/models/...",
        "/v1/models/%2e%2e/messages",
        "/v1/%6dessages",
        "/v1/messages%2Fbatches",
        "/v1/messages;x=1",
        "/v1/models/a;b",
        "/v1/messages?beta=true",
        "/v1/messages#x",
        "/v1\\messages",
        "/v1/messages ",
        " /v1/messages",
        "/v1/messages\u{0}",
        "/v1/messages\r\n",
        "/v1/models/é",
        "/v1/models/a+b",
        "/v1/models/a,b",
        "http://api.anthropic.com/v1/messages",
    ] {
        assert_eq!(route("POST", path), Err(Refusal::NotPlain), "{path:?}");
    }
    assert_eq!(route("GET", &format!("/v1/models/{}", "a".repeat(MAX_PATH))), Err(Refusal::NotPlain));
    assert_eq!(Refusal::NotPlain.kind(), ErrorKind::NotFound);
}

#[test]
fn a_method_that_the_path_does_not_take_is_refused() {
    for (method, path) in [
        ("GET", "/v1/messages"),
        ("post", "/v1/messages"),
        ("PUT", "/v1/messages"),
        ("HEAD", "/v1/models"),
        ("POST", "/api/hello"),
        ("GET", "/"),
        ("CONNECT", "/"),
        ("OPTIONS", "/v1/messages"),
        ("", "/v1/messages"),
    ] {
        assert_eq!(route(method, path), Err(Refusal::Method), "{method} {path}");
    }
    assert_eq!(Refusal::Method.kind(), ErrorKind::Permission);
}

#[test]
fn a_word_of_the_api_is_never_taken_for_a_parameter() {
    for (method, path) in [
        ("GET", "/v1/messages/batches"),
        ("POST", "/v1/environments/e1/work/poll"),
        ("POST", "/v1/environments/e1/work/stats"),
        ("DELETE", "/v1/organizations/spend_limits/effective"),
        ("GET", "/v1/organizations/plugin_marketplaces/validate_archive"),
    ] {
        if let Ok(found) = route(method, path) {
            assert!(!found.path.ends_with("{}"), "{method} {path} went to {}", found.name);
        }
    }
    for (later, path) in all().map(|r| r.path).enumerate() {
        let first = all().position(|r| fits(r.path, path)).expect("a template fits itself");
        let first_path = all().nth(first).expect("just found").path;
        assert!(first >= later || first_path == path, "{first_path} hides {path}");
    }
}

#[test]
fn only_greetings_and_what_gives_and_ends_tokens_go_without_credentials() {
    let open: Vec<_> = all().filter(|r| r.scope.is_none()).map(|r| r.name).collect();
    let tokens =
        ["oauth.token", "oauth.token", "oauth.revoke", "oauth.device", "oauth.device", "oauth.discovery"];
    assert_eq!(open, [&["hello"; 3][..], &tokens].concat());
}

#[test]
fn a_method_on_a_path_stands_in_the_table_once() {
    let mut rows: Vec<_> = all().map(|r| (r.method, r.path)).collect();
    let count = rows.len();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), count);
    assert_eq!(count, 280, "31 for applications, 91 managed, 149 of the organisation, 9 open");
}

#[test]
fn what_only_reads_has_a_scope_that_only_reads() {
    for row in all().filter(|r| r.method == "GET") {
        if let Some(scope) = row.scope {
            assert!(scope.ends_with(".read"), "{} takes {scope}", row.name);
        }
    }
    for row in all().filter(|r| r.method != "GET") {
        if let Some(scope) = row.scope {
            assert!(!scope.ends_with(".read"), "{} takes {scope}", row.name);
        }
    }
}
