//! Masks go into bodies: edits of units become splices, for the wire and for the record.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD as BASE64};

use super::Case;
use crate::claude::units::Unit;
use crate::json::{Splices, Value};
use crate::mask::{Direction, Edit, Memory, Profile};

/// What stands in the record for a text document that cannot be read.
const UNREADABLE: &str = "[redacted:unreadable]";
/// Base64 as lenient readers take it: padded or not, with any bits left over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// What stands in the record for a credential that is meant for the provider.
const CREDENTIAL: &str = "[redacted:credential]";

impl Case {
    /// Masks a unit for the wire. Adds the number of documents that could not be read after all to its media.
    pub(super) fn mask(&mut self, unit: &mut Unit<'_, '_>, direction: Direction, splices: &mut Splices) {
        for leaf in &unit.leaves {
            let Some(text) = leaf.text() else { continue };
            let edits = self.runtime.masker.edits(&text, direction, &self.profile, &mut self.memory);
            self.masked(*leaf, &text, &edits);
            if !edits.is_empty() {
                splice(*leaf, &edits, splices);
                unit.touched.push((*leaf, edits));
            }
        }
        for document in &unit.encoded {
            match decoded(*document) {
                Some(text) => {
                    let edits = self.runtime.masker.edits(&text, direction, &self.profile, &mut self.memory);
                    self.masked(*document, &text, &edits);
                    splice_encoded(*document, &text, &edits, splices);
                }
                None => unit.media += 1,
            }
        }
    }

    /// Restores pseudonyms of this exchange in a value's strings (tool inputs on their way to the agent).
    pub(super) fn restore(&mut self, strings: &[Value<'_, '_>], splices: &mut Splices) {
        for value in strings {
            let Some(text) = value.text() else { continue };
            let edits = self.runtime.masker.restore(&text, &mut self.memory);
            self.restored(*value, edits.len());
            splice(*value, &edits, splices);
        }
    }

    /// Masks a unit for the record: every finding, whoever is exempt and whatever mode is on; nothing is restored.
    pub(super) fn mask_for_record(&self, unit: &Unit<'_, '_>, splices: &mut Splices) {
        self.mask_strings_for_record(&unit.leaves, splices);
        self.mask_rest_for_record(unit, splices);
    }

    /// The same for a request's unit that was masked for the wire as it is for everyone: what was masked there is
    /// masked here in the same way, except where the wire got the value of a sealed mask.
    pub(super) fn mask_touched_for_record(&self, unit: &Unit<'_, '_>, splices: &mut Splices) {
        for (leaf, edits) in &unit.touched {
            if edits.iter().any(|edit| edit.opens) {
                self.mask_strings_for_record(&[*leaf], splices);
            } else {
                splice(*leaf, edits, splices);
            }
        }
        self.mask_rest_for_record(unit, splices);
    }

    /// All of a unit but its leaves.
    fn mask_rest_for_record(&self, unit: &Unit<'_, '_>, splices: &mut Splices) {
        for document in &unit.encoded {
            match decoded(*document) {
                Some(text) => splice_encoded(*document, &text, &self.record_edits(&text), splices),
                None => {
                    let length = document.text().map_or(0, |text| text.len());
                    document.splice([(0..length, UNREADABLE)], splices);
                }
            }
        }
        self.mask_strings_for_record(&unit.sealed, splices);
        self.mask_strings_for_record(&unit.fixed, splices);
        for secret in &unit.secrets {
            let length = secret.text().map_or(0, |text| text.len());
            secret.splice([(0..length, CREDENTIAL)], splices);
        }
    }

    fn mask_strings_for_record(&self, strings: &[Value<'_, '_>], splices: &mut Splices) {
        for value in strings {
            let Some(text) = value.text() else { continue };
            splice(*value, &self.record_edits(&text), splices);
        }
    }

    fn record_edits(&self, text: &str) -> Vec<Edit> {
        self.runtime.masker.edits(text, Direction::Record, &Profile::default(), &mut Memory::default())
    }

    /// One text, masked for the record, for example for a reviewer's preview.
    pub(super) fn recorded_text(&self, text: &str) -> String {
        apply(text, &self.record_edits(text))
    }
}

pub(super) fn splice(value: Value<'_, '_>, edits: &[Edit], splices: &mut Splices) {
    if !edits.is_empty() {
        value.splice(edits.iter().map(|edit| (edit.start..edit.end, &*edit.with)), splices);
    }
}

pub(super) fn splice_encoded(value: Value<'_, '_>, text: &str, edits: &[Edit], splices: &mut Splices) {
    if !edits.is_empty() {
        let length = value.text().map_or(0, |text| text.len());
        let encoded = BASE64.encode(apply(text, edits));
        value.splice([(0..length, encoded.as_str())], splices);
    }
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut splices = Splices::new();
    for edit in edits {
        splices.replace(edit.start..edit.end, edit.with.to_string());
    }
    String::from_utf8_lossy(&splices.apply(text.as_bytes())).into_owned()
}

/// The text of a document in base64; `None` when it is none after all.
pub(super) fn decoded(document: Value<'_, '_>) -> Option<String> {
    let spaceless = |c: &u8| !c.is_ascii_whitespace();
    let plain = |c: u8| match c {
        b'-' => b'+',
        b'_' => b'/',
        c => c,
    };
    let text: Vec<u8> = document.text()?.bytes().filter(spaceless).map(plain).collect();
    let bytes = LENIENT.decode(text).ok()?;
    String::from_utf8(bytes).ok()
}
