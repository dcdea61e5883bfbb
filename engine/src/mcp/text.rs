//! Where text lives in messages.
//!
//! Everything is text that is not known to be something else, keys of objects included: what a server sends has no
//! fixed shape.

use std::ops::Range;

use super::spelling::is_free;
use crate::claude::units::Unit;
use crate::json::{Kind, Value};

/// Whether a string at this key is an identifier that the other side sends back, or a word of the protocol: changing
/// it would break the exchange. It is masked in the record all the same.
fn is_fixed(key: &str) -> bool {
    matches!(
        key,
        "type"
            | "method"
            | "jsonrpc"
            | "id"
            | "role"
            | "mimeType"
            | "uri"
            | "uriTemplate"
            | "cursor"
            | "nextCursor"
            | "progressToken"
            | "requestId"
            | "taskId"
            | "elicitationId"
            | "protocolVersion"
            | "resultType"
            | "requestState"
    )
}

/// The text of a message, or of a part of one.
pub fn of<'d, 'a>(value: Value<'d, 'a>) -> Unit<'d, 'a> {
    let mut unit = Unit::default();
    gather(value, false, None, &mut unit);
    unit
}

/// The same without the text of one value in it.
pub fn of_all_but<'d, 'a>(value: Value<'d, 'a>, but: Value<'_, '_>) -> Unit<'d, 'a> {
    let mut unit = Unit::default();
    gather(value, false, Some(but.span()), &mut unit);
    unit
}

/// `free`: below here the protocol knows no shape (arguments, structured content, schemas). `but`: what is left out.
fn gather<'d, 'a>(value: Value<'d, 'a>, free: bool, but: Option<Range<usize>>, unit: &mut Unit<'d, 'a>) {
    if but.as_ref() == Some(&value.span()) {
        return;
    }
    match value.kind() {
        Kind::String => unit.leaves.push(value),
        Kind::Array => value.items().for_each(|item| gather(item, free, but.clone(), unit)),
        Kind::Object => {
            for (key, entry) in value.entries() {
                let name = key.text().unwrap_or_default();
                let string = entry.kind() == Kind::String;
                if string && !free && is_fixed(&name) {
                    unit.fixed.push(entry);
                    continue;
                }
                unit.leaves.push(key);
                if string && !free && is_binary(value, &name) {
                    match is_text(value) {
                        true => unit.encoded.push(entry),
                        false => unit.media += 1,
                    }
                    continue;
                }
                gather(entry, free || is_free(&name), but.clone(), unit);
            }
        }
        _ => {}
    }
}

/// Whether the string at this key is base64: the blob of a resource, the data of an image or of sound.
fn is_binary(object: Value<'_, '_>, key: &str) -> bool {
    let kind = object.str("type");
    key == "blob" && object.get("uri").is_some()
        || key == "data" && matches!(kind.as_deref(), Some("image" | "audio"))
}

fn is_text(object: Value<'_, '_>) -> bool {
    object.str("mimeType").is_some_and(|mime| {
        mime.starts_with("text/") || ["json", "xml", "yaml"].iter().any(|part| mime.contains(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn every_string_is_text_but_for_identifiers_and_media() {
        let text = r#"{"jsonrpc":"2.0","id":"x","result":{"content":[
            {"type":"text","text":"T said"},
            {"type":"image","mimeType":"image/png","data":"AAAA"},
            {"type":"resource","resource":{"uri":"file:///a","mimeType":"text/plain","text":"T read"}},
            {"type":"resource","resource":{"uri":"file:///b","mimeType":"text/csv","blob":"VCBjc3Y="}},
            {"type":"from_the_future","words":["T new"],"data":"T data"}],
            "structuredContent":{"type":"T free","T key":"T value","uri":"T uri"},
            "_meta":{"note":"T meta"}}}"#;
        let doc = parse(text.as_bytes(), 16).unwrap();
        let unit = of(doc.root());
        let found = unit.leaves.iter().filter(|leaf| leaf.text().unwrap().starts_with("T ")).count();
        assert_eq!((found, unit.media, unit.encoded.len()), (9, 1, 1));
        assert!(unit.fixed.iter().all(|value| !value.text().unwrap().starts_with("T ")));
    }
}
