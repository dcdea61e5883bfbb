//! Whose request it is: the API's, or that of an MCP server of the policy.

use std::sync::Arc;

use sluice_engine::claude::error::ErrorKind;
use sluice_engine::claude::routes::{Kind, Route, route};
use sluice_engine::judge::{Refusal, Runtime};
use sluice_engine::policy::mcp::CompiledMcp;

use super::Request;

/// Where a request goes.
#[derive(Debug)]
pub enum Way {
    /// To the API.
    Api(&'static Route),
    /// To an MCP server that the policy names.
    Mcp(Arc<CompiledMcp>),
}

/// Where a request goes, told as the filter tells it.
///
/// # Errors
/// The refusal of a route that nobody has, and of the exchange of tokens, which is the running service's.
pub fn way(runtime: &Runtime, request: &Request) -> Result<Way, Refusal> {
    let path = request.path.split_once('?').map_or(request.path.as_str(), |(path, _)| path);
    let host = request.header("host").unwrap_or_default();
    // A query would be read by the server alone: there is none for it.
    match (route(&request.method, path), runtime.compiled.mcp_server(&host, &request.path)) {
        (Ok(route), _) if route.kind == Kind::Token => {
            Err(Refusal::new(ErrorKind::NotFound, "route", "this gateway does not exchange tokens"))
        }
        (Ok(route), _) => Ok(Way::Api(route)),
        (Err(_), Some(server)) => Ok(Way::Mcp(Arc::clone(server))),
        (Err(why), None) => Err(Refusal::new(why.kind(), "route", why.to_string())),
    }
}
