//! Names of what can be asked of an MCP server, for rules, records and messages.
//!
//! Source: schemas of the revisions 2025-06-18, 2025-11-25 (tasks) and 2026-07-28 (discover, listen).

use crate::claude::routes::{Kind, Route};

const fn route(method: &'static str, name: &'static str) -> Route {
    // The path is the policy's, and so is the scope.
    Route { name, scope: None, method, path: "", kind: Kind::Mcp }
}

/// What a message is before it is read.
pub const UNREAD: &Route = &route("POST", "mcp.post");

/// All of them. The first few stand for what is no request.
pub static ROUTES: &[Route] = &[
    route("POST", "mcp.post"),
    route("GET", "mcp.stream"),
    route("DELETE", "mcp.end"),
    route("POST", "mcp.response"),
    route("POST", "mcp.notification"),
    route("POST", "mcp.other"),
    route("POST", "mcp.initialize"),
    route("POST", "mcp.ping"),
    route("POST", "mcp.tools.list"),
    route("POST", "mcp.tools.call"),
    route("POST", "mcp.resources.list"),
    route("POST", "mcp.resources.templates.list"),
    route("POST", "mcp.resources.read"),
    route("POST", "mcp.resources.subscribe"),
    route("POST", "mcp.resources.unsubscribe"),
    route("POST", "mcp.prompts.list"),
    route("POST", "mcp.prompts.get"),
    route("POST", "mcp.completion.complete"),
    route("POST", "mcp.logging.setLevel"),
    route("POST", "mcp.server.discover"),
    route("POST", "mcp.subscriptions.listen"),
    route("POST", "mcp.tasks.get"),
    route("POST", "mcp.tasks.result"),
    route("POST", "mcp.tasks.list"),
    route("POST", "mcp.tasks.cancel"),
];

/// How many of [`ROUTES`] are no methods of requests.
const NO_METHODS: usize = 6;

/// What the method of every notification begins with, of clients and of servers.
pub const NOTIFIES: &str = "notifications/";

/// What a client may notify a server of.
pub const NOTIFICATIONS: &[&str] = &[
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
];

/// A route by its name (`mcp.post`).
pub fn named(name: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.name == name)
}

/// What is known of a request before its body: by its HTTP method.
pub fn of_http(method: &str) -> Option<&'static Route> {
    ROUTES.iter().take(3).find(|route| route.method == method)
}

/// The route of a request's method (`tools/call`); `None`: the specification does not know it.
pub fn of_method(method: &str) -> Option<&'static Route> {
    ROUTES.iter().skip(NO_METHODS).find(|route| {
        let parts = route.name.split('.').skip(1);
        parts.eq(method.split('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_has_the_route_of_its_name_and_nothing_else_has_one() {
        for (method, name) in [
            ("tools/call", Some("mcp.tools.call")),
            ("resources/templates/list", Some("mcp.resources.templates.list")),
            ("ping", Some("mcp.ping")),
            ("post", None),
            ("notification", None),
            ("tools.call", None),
            ("tools", None),
            ("tools/call/", None),
            ("Tools/call", None),
            ("sampling/createMessage", None),
            ("", None),
        ] {
            assert_eq!(of_method(method).map(|route| route.name), name, "{method}");
        }
        assert_eq!(of_http("GET").map(|route| route.name), Some("mcp.stream"));
        assert_eq!(of_http("PUT"), None);
    }
}
