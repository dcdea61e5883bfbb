//! Texts that benches read.

/// Bytes of what agents send.
pub const SIZE: usize = 1 << 20;

/// Bytes of other texts: short enough that a run is not interrupted on a machine that does other things too.
pub const SHORT: usize = SIZE / 16;

/// English prose with dates and numbers.
pub const PROSE: &str = "The gateway reads every request before it leaves, and what it does not understand it refuses. \
    Nobody had asked for this in 2019, when the first drafts went round; by the spring of 2024 it was on page 3 of every \
    questionnaire. \"We wanted to know,\" she said, \"who had approved what, and when.\" It took them 18 months.\n\n";

/// Source code.
pub const CODE: &str = "    pub fn settle(&mut self, at: usize) -> Result<Vec<Region>, Error> {\n        let mut out = Vec::with_capacity(self.len);\n        \
    for (index, item) in self.items.iter().enumerate() {\n            if item.start >= at && !item.is_empty() {\n                \
    out.push(Region { start: item.start, end: item.end, kind: index });\n            }\n        }\n        // the rest: see #1234\n        Ok(out)\n    }\n\n";

/// JSON logs.
pub const LOGS: &str = "{\"ts\":\"2026-11-21T23:22:05.123Z\",\"level\":\"info\",\"msg\":\"request done\",\"status\":200,\"ms\":12.5,\
    \"id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\",\"path\":\"/v1/messages?beta=true\",\"user\":1234567,\"ok\":true}\n";

/// A support ticket: findings of four kinds.
pub const FINDINGS: &str = "ticket 4711 from ann.smith@example.com: card 4111 1111 1111 1111 was declined, please call (415) 555-0100 \
    about it. Her key AKIAZ3MSDX5QW7RT2UVB leaked too, she says, and the rest of this line is plain prose about nothing. ";

/// Text in other scripts.
pub const NON_ASCII: &str = "Die Größe des Körpers — ungefähr 3 m — “überrascht” niemanden… 日本語のテキストも流れる。 Ça va très bien, merci. ";

/// What somebody would send to slow the scan down: fronts of values, over and over.
pub const HOSTILE: [&str; 56] = [
    "@",
    "a@",
    "a@b.",
    "1",
    "1 ",
    "4 ",
    "4111 ",
    "41-",
    "4111 1111 1111 1112 ",
    "eyJ",
    "eyJ.",
    "eyJ-",
    "sk-",
    "sk-ant-",
    "sk-ant-a1B2c3D4e5 ",
    "AKIA",
    "ghp_",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----\n",
    "://",
    "://a:",
    "x://u:p@",
    "password=",
    "password=a1B2c3d4 ",
    "password='a1B2c3d4' ",
    "\"token\":\"",
    "token='",
    "key: a1B2c3D4e5F6g7H8i9\n",
    "<",
    "<a:",
    "[redacted:",
    "&#",
    "\\",
    "%4",
    "\u{200b}",
    "４",
    "DE89 ",
    "+1",
    "((",
    "a.b-",
    "ann.smith@example.com ",
    "0(",
    "0) ",
    "1  ",
    "00(1(",
    "123456789?",
    "020 7946 09581\r\n",
    "pwd==",
    "pwd=(",
    "sig=",
    "12?sig=sig=sig=",
    "ghp_k3v9Qa0Lm2xR7bTzWp5sk3v9Qa0Lm2xR7bTz/secret=",
    "cookie:a=",
    "cookie: a=b; ",
    "curl -u a:",
    "| password |",
];

/// A text of so many bytes, or a few less.
pub fn repeated(unit: &str, size: usize) -> String {
    let mut text = unit.repeat(size / unit.len() + 1);
    text.truncate(text.floor_char_boundary(size));
    text
}

/// What agents send, in one text of [`SIZE`] bytes: prose, code and JSON logs in turn.
pub fn agent_traffic() -> String {
    repeated(&[PROSE.repeat(8), CODE.repeat(8), LOGS.repeat(8)].concat(), SIZE)
}

/// Characters of base64 that look drawn at random; the same in every run.
pub fn drawn(len: usize) -> String {
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let draw = |_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        alphabet.get(usize::try_from(seed >> 58).unwrap_or(0)).copied().unwrap_or('A')
    };
    (0..len).map(draw).collect()
}
