//! JSON-RPC 2.0 messages, read so that no server or client could read another one.

use std::borrow::Cow;

use super::spelling::{folded, has_twins, is_misspelt};
use crate::json::{Kind, Value};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Wants an answer.
    Request,
    /// Wants none.
    Notification,
    /// Answers a request of the other side.
    Response,
}

/// One message.
#[derive(Debug, Clone)]
pub struct Message<'d, 'a> {
    /// What it is.
    pub what: What,
    /// Its id: a string or a number; null in answers to what had none.
    pub id: Option<Value<'d, 'a>>,
    /// The method of a request or notification; empty in a response.
    pub method: Cow<'a, str>,
    /// The parameters.
    pub params: Option<Value<'d, 'a>>,
    /// The result of a response that is no error.
    pub result: Option<Value<'d, 'a>>,
}

/// Reads a message.
///
/// # Errors
/// What is wrong, for whoever sent it.
pub fn read<'d, 'a>(root: Value<'d, 'a>) -> Result<Message<'d, 'a>, &'static str> {
    match root.kind() {
        Kind::Object => {}
        Kind::Array => return Err("batches are not taken; send one message in each request"),
        _ => return Err("the body is not a JSON-RPC message"),
    }
    let known = ["jsonrpc", "id", "method", "params", "result", "error"];
    if root.entries().any(|(key, _)| !known.iter().any(|known| key.is(known))) {
        return Err(
            "a JSON-RPC message has the keys `jsonrpc`, `id`, `method`, `params`, `result` and `error` and no other",
        );
    }
    if !root.get("jsonrpc").is_some_and(|version| version.is("2.0")) {
        return Err("`jsonrpc` must be \"2.0\"");
    }
    let id = root.get("id");
    let named = |id: Value<'_, '_>| matches!(id.kind(), Kind::String | Kind::Number);
    let (method, params) = (root.get("method"), root.get("params"));
    let (result, error) = (root.get("result"), root.get("error"));
    if params.is_some_and(|params| params.kind() != Kind::Object) {
        return Err("`params` must be an object");
    }
    let (what, method) = match (method, id) {
        (Some(_), _) if result.is_some() || error.is_some() => {
            return Err("a message is a request or a response, not both");
        }
        (Some(method), id) => {
            let method = method.text().ok_or("`method` must be a string")?;
            match id {
                None => (What::Notification, method),
                Some(id) if named(id) => (What::Request, method),
                Some(_) => return Err("`id` must be a string or a number"),
            }
        }
        (None, Some(id)) if params.is_none() && result.is_some() != error.is_some() => {
            if !named(id) && (error.is_none() || id.kind() != Kind::Null) {
                return Err("`id` must be a string or a number");
            }
            (What::Response, Cow::Borrowed(""))
        }
        _ => return Err("the body is not a JSON-RPC message"),
    };
    if let Some(params) = params
        && has_twins(params)
    {
        return Err("`params` has a key twice in different cases; send each key once");
    }
    if result.or(error).is_some_and(is_misspelt) {
        return Err(
            "a result has a key twice in different cases, or in another case than the protocol writes it",
        );
    }
    Ok(Message { what, id, method, params, result })
}

/// Whether something, which need not be a message, has a result, in whatever spelling.
pub fn has_result(root: Value<'_, '_>) -> bool {
    root.entries().any(|(key, _)| key.text().is_some_and(|key| folded(&key) == "result"))
}

/// Whether a response answers the request with this id, given as JSON.
pub fn answers(message: &Message<'_, '_>, request: &str) -> bool {
    let Some(id) = message.id else { return false };
    let Ok(request) = crate::json::parse(request.as_bytes(), 1) else { return false };
    match (id.kind(), request.root().kind()) {
        (Kind::String, Kind::String) => id.text() == request.root().text(),
        // Some write whole numbers with a fraction.
        (Kind::Number, Kind::Number) => {
            let number = |raw: &str| raw.strip_suffix(".0").unwrap_or(raw).to_owned();
            number(id.raw()) == number(request.root().raw())
        }
        _ => false,
    }
}

/// The string at a key of `params`, when it stands there in this very spelling.
pub fn param<'a>(params: Option<Value<'_, 'a>>, key: &str) -> Option<Cow<'a, str>> {
    let params = params?;
    let other =
        params.entries().any(|(own, _)| own.text().is_some_and(|own| own != key && folded(&own) == key));
    if other { None } else { params.str(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn what(text: &str) -> Result<What, &'static str> {
        read(parse(text.as_bytes(), 16).unwrap().root()).map(|message| message.what)
    }

    #[test]
    fn requests_notifications_and_responses_are_told_apart() {
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, What::Request),
            (r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{}}"#, What::Request),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, What::Notification),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, What::Response),
            (r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#, What::Response),
        ] {
            assert_eq!(what(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_two_readers_could_take_for_different_messages_is_none() {
        for text in [
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#""ping""#,
            r#"{}"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"param\u{17f}\":{}}",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","NAME":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"q":1,"x":[{"Q":1,"q":2}]}}}"#,
        ] {
            assert!(what(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_response_answers_the_request_whose_id_it_has() {
        for (id, request, expected) in [
            ("7", "7", true),
            ("7.0", "7", true),
            (r#""\u0061""#, r#""a""#, true),
            ("8", "7", false),
            (r#""7""#, "7", false),
            (r#""nobody""#, r#""a""#, false),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
            let doc = parse(text.as_bytes(), 4).unwrap();
            assert_eq!(answers(&read(doc.root()).unwrap(), request), expected, "{id} {request}");
        }
    }

    #[test]
    fn a_parameter_in_another_spelling_is_not_there() {
        for (text, expected) in [
            (r#"{"name":"a"}"#, Some("a")),
            (r#"{"Name":"a"}"#, None),
            (r#"{"n\u0061me":"a"}"#, Some("a")),
            (r#"{"name":1}"#, None),
        ] {
            let doc = parse(text.as_bytes(), 4).unwrap();
            assert_eq!(param(Some(doc.root()), "name").as_deref(), expected, "{text}");
        }
    }
}
