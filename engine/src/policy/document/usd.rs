//! Amounts of money, exact to a millionth of a dollar.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One dollar in micro-dollars.
const DOLLAR: u64 = 1_000_000;

/// US dollars, written `"3.75"`: a whole number of micro-dollars, so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(u64);

impl Usd {
    /// From micro-dollars.
    pub const fn micros(micros: u64) -> Self {
        Self(micros)
    }

    /// In micro-dollars.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Reads `5`, `3.75`, `0.000001`: digits, and at most six behind the point.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 6 {
            return None;
        }
        let part: u64 = format!("{part:0<6}").parse().ok()?;
        whole.parse::<u64>().ok()?.checked_mul(DOLLAR)?.checked_add(part).map(Self)
    }
}

impl fmt::Display for Usd {
    /// At least two digits behind the point, and no more than are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / DOLLAR, self.0 % DOLLAR);
        let short = text.trim_end_matches('0');
        let behind = short.split_once('.').map_or(0, |(_, part)| part.len());
        f.write_str(short)?;
        f.write_str(if behind == 0 {
            "00"
        } else if behind == 1 {
            "0"
        } else {
            ""
        })
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl de::Visitor<'_> for Amount {
            type Value = Usd;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an amount of US dollars such as 5 or \"3.75\", with at most six digits behind the point",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Usd, E> {
                Usd::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_u64<E: de::Error>(self, dollars: u64) -> Result<Usd, E> {
                self.visit_str(&dollars.to_string())
            }

            // YAML reads a bare 3.75 as a float, whose shortest text is what was written.
            fn visit_f64<E: de::Error>(self, dollars: f64) -> Result<Usd, E> {
                self.visit_str(&dollars.to_string())
            }
        }
        deserializer.deserialize_any(Amount)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Usd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "number"],
            "description": "US dollars, with at most six digits behind the point.",
            "minimum": 0,
            "pattern": "^[0-9]+([.][0-9]{1,6})?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_to_a_millionth() {
        for (text, micros) in
            [("0", 0), ("5", 5_000_000), ("3.75", 3_750_000), ("0.000001", 1), ("12.5", 12_500_000)]
        {
            assert_eq!(Usd::parse(text), Some(Usd::micros(micros)), "{text}");
        }
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "0.0000001", "$5", "99999999999999999999"]
        {
            assert_eq!(Usd::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_amount_is_written_with_two_digits_or_as_many_as_it_has() {
        for (micros, text) in
            [(0, "0.00"), (5_000_000, "5.00"), (3_700_000, "3.70"), (3_750_000, "3.75"), (1, "0.000001")]
        {
            assert_eq!(Usd::micros(micros).to_string(), text);
            assert_eq!(Usd::parse(text), Some(Usd::micros(micros)));
        }
    }

    #[test]
    fn text_whole_numbers_and_bare_decimals_are_read_alike() {
        for (json, micros) in
            [("\"0.3\"", 300_000), ("0.3", 300_000), ("15", 15_000_000), ("18.75", 18_750_000)]
        {
            assert_eq!(serde_json::from_str::<Usd>(json).unwrap(), Usd::micros(micros), "{json}");
        }
        for json in ["-1", "0.12345678", "null", "true", "[]"] {
            assert!(serde_json::from_str::<Usd>(json).is_err(), "{json}");
        }
    }
}
