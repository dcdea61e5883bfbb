//! Answers that the gateway gives in a server's place.
//!
//! A refused call of a tool is answered with a result that says `isError`: that is what clients hand to the model, in
//! the very words. Anything else gets a JSON-RPC error, which the SDKs turn into an exception with its message.

use serde_json::{Value, json};

use crate::claude::error::ErrorKind;

/// Refused, for a reason that is none of JSON-RPC's own. Of the range that the specification of JSON-RPC leaves to
/// servers, a number that MCP does not use (2026-07-28).
const REFUSED: i64 = -32050;

/// How a request wants to be answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// The request's id as JSON; `None` while it is not known, and where nobody waits for an answer.
    pub id: Option<String>,
    /// Whether it calls a tool.
    pub call: bool,
    /// Whether results name their type.
    pub modern: bool,
}

impl Answers {
    /// HTTP status of a refusal.
    pub fn status(&self, kind: ErrorKind) -> u16 {
        // Once the request is known, HTTP has done its part: clients of older revisions read no body but at 200.
        if self.id.is_some() { 200 } else { kind.status() }
    }

    /// The message that refuses.
    pub fn message(&self, kind: ErrorKind, message: &str) -> String {
        if self.call && kind != ErrorKind::InvalidRequest {
            return self.result(message);
        }
        let code = match kind {
            ErrorKind::InvalidRequest | ErrorKind::Encoding => -32600,
            ErrorKind::NotFound => -32601,
            ErrorKind::Api => -32603,
            _ => REFUSED,
        };
        self.whole("error", &json!({ "code": code, "message": message }))
    }

    /// A tool's result that says what happened in its place.
    fn result(&self, words: &str) -> String {
        let mut result = json!({ "content": [{ "type": "text", "text": words }], "isError": true });
        if let (true, Some(result)) = (self.modern, result.as_object_mut()) {
            result.insert("resultType".into(), json!("complete"));
        }
        self.whole("result", &result)
    }

    fn whole(&self, field: &str, value: &Value) -> String {
        let id = self.id.as_deref().unwrap_or("null");
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"{field}\":{value}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_is_a_result_that_the_model_reads_and_all_else_an_error() {
        let call = Answers { id: Some("\"a\"".into()), call: true, modern: false };
        let body: Value = serde_json::from_str(&call.message(ErrorKind::Permission, "no \"way\"")).unwrap();
        assert_eq!(call.status(ErrorKind::Permission), 200);
        assert_eq!(
            body,
            json!({"jsonrpc":"2.0","id":"a","result":{"content":[{"type":"text","text":"no \"way\""}],"isError":true}})
        );
        let list = Answers { id: Some("7".into()), ..Answers::default() };
        let refused = |answers: &Answers, kind| (answers.status(kind), answers.message(kind, "no"));
        let error =
            |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32050,"message":"no"}}}}"#);
        assert_eq!(refused(&list, ErrorKind::Permission), (200, error("7")));
        assert_eq!(refused(&Answers::default(), ErrorKind::Authentication), (401, error("null")));
    }
}
