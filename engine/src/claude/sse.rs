//! Server-sent events: bytes become events, each with the bytes that it came as.
//!
//! Source: WHATWG HTML, "Server-sent events", section "Interpreting an event stream". Lines end in LF, CR LF
//! or CR; an event ends with an empty line. Comments and fields that do not concern us travel with their event.

/// The largest event that is waited for; a whole tool result can arrive in one.
pub const MAX_EVENT: usize = 32 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its bytes, with the empty line.
    pub raw: Vec<u8>,
    /// The `event` field.
    pub name: String,
    /// The `data` fields, joined by LF.
    pub data: Vec<u8>,
}

/// Cuts bytes into events, wherever they are split.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Up to here the bytes have been given out as events.
    taken: usize,
    /// Where the line that is being read starts.
    line_start: usize,
    /// Up to here that line has no end.
    searched: usize,
}

/// An event beyond [`MAX_EVENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MAX_EVENT} bytes")]
pub struct TooLarge;

impl Decoder {
    /// Adds what came.
    ///
    /// # Errors
    /// [`TooLarge`] when what waits for its end grows beyond [`MAX_EVENT`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        // Once for each push, and not for each event: a stream that waited for a person has very many at once.
        self.bytes.drain(..self.taken.min(self.bytes.len()));
        self.line_start = self.line_start.saturating_sub(self.taken);
        self.searched = self.searched.saturating_sub(self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > MAX_EVENT { Err(TooLarge) } else { Ok(()) }
    }

    /// The next whole event.
    pub fn next_event(&mut self) -> Option<Event> {
        let end = self.find_end()?;
        let raw = self.bytes.get(self.taken..end).unwrap_or_default().to_vec();
        (self.taken, self.line_start, self.searched) = (end, end, end);
        Some(read(raw))
    }

    /// What is left when the stream ended: an event without its empty line, which clients drop.
    pub fn rest(&mut self) -> Vec<u8> {
        let rest = self.bytes.split_off(self.taken.min(self.bytes.len()));
        *self = Self::default();
        rest
    }

    /// The offset after the first empty line. Each byte is looked at once, whatever the pieces that it came in.
    fn find_end(&mut self) -> Option<usize> {
        loop {
            let found = self.bytes.get(self.searched..)?.iter().position(|&b| b == b'\n' || b == b'\r');
            let Some(offset) = found else {
                self.searched = self.bytes.len();
                return None;
            };
            let end = self.searched + offset;
            self.searched = end;
            let after = match (self.bytes.get(end), self.bytes.get(end + 1)) {
                (Some(b'\r'), Some(b'\n')) => end + 2,
                // The LF of a CR LF may be still to come.
                (Some(b'\r'), None) => return None,
                _ => end + 1,
            };
            if end == self.line_start {
                return Some(after);
            }
            (self.line_start, self.searched) = (after, after);
        }
    }
}

fn read(raw: Vec<u8>) -> Event {
    let mut name = Vec::new();
    let mut data: Option<Vec<u8>> = None;
    // A byte order mark at the start of a stream belongs to no field; clients take it off.
    let text = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&raw);
    for line in text.split(|&b| b == b'\n' || b == b'\r') {
        let (field, value) = match line.iter().position(|&b| b == b':') {
            Some(colon) => line.split_at_checked(colon).unwrap_or((line, &[])),
            None => (line, [].as_slice()),
        };
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    Event { raw, name: String::from_utf8_lossy(&name).into_owned(), data: data.unwrap_or_default() }
}

/// Writes an event as the Messages API does; one without a name as its data alone.
pub fn write(name: &str, data: &str, out: &mut Vec<u8>) {
    // JSON may stand on several lines; each needs its field.
    let data = &data.replace('\n', "\ndata: ");
    let name = if name.is_empty() { ["", "", ""] } else { ["event: ", name, "\n"] };
    for part in name.into_iter().chain(["data: ", data, "\n\n"]) {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b": hello\n\nevent: a\ndata: {\"x\":1}\n\nevent:b\r\ndata: one\r\ndata:  two\r\n\r\n\n\rdata: \xc3\xa9\r\revent: cut\ndata: off\n";

    fn decode(pieces: &[&[u8]]) -> (Vec<Event>, Vec<u8>) {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece).unwrap();
            while let Some(event) = decoder.next_event() {
                events.push(event);
            }
        }
        (events, decoder.rest())
    }

    #[test]
    fn events_carry_their_bytes_and_fields() {
        let (events, rest) = decode(&[STREAM]);
        let read: Vec<_> = events
            .iter()
            .filter(|e| !e.data.is_empty())
            .map(|e| (e.name.as_str(), e.data.as_slice()))
            .collect();
        assert_eq!(read, [("a", b"{\"x\":1}".as_slice()), ("b", b"one\n two"), ("", "é".as_bytes())]);
        assert_eq!(rest, b"event: cut\ndata: off\n");
        let mut all: Vec<u8> = events.into_iter().flat_map(|event| event.raw).collect();
        all.extend(rest);
        assert_eq!(all, STREAM);
    }

    #[test]
    fn the_same_events_come_out_however_the_bytes_are_split() {
        let whole = decode(&[STREAM]);
        for at in 0..=STREAM.len() {
            let (left, right) = STREAM.split_at(at);
            assert_eq!(decode(&[left, right]), whole, "split at {at}");
        }
        let single: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(decode(&single), whole);
    }

    #[test]
    fn a_byte_order_mark_hides_no_event() {
        let (events, _) = decode(&[b"\xef\xbb\xbfdata: {}\n\n"]);
        assert_eq!(events.first().map(|event| event.data.as_slice()), Some(b"{}".as_slice()));
    }

    #[test]
    fn data_of_several_lines_stays_data() {
        let mut out = Vec::new();
        write("a", "{\n\"x\":1}", &mut out);
        let (events, _) = decode(&[&out]);
        assert_eq!(events.first().map(|event| event.data.as_slice()), Some(b"{\n\"x\":1}".as_slice()));
    }

    #[test]
    fn many_events_at_once_are_cut_in_linear_time() {
        let mut decoder = Decoder::default();
        decoder.push(&b"data: 1\n\n".repeat(300_000)).unwrap();
        let started = std::time::Instant::now();
        assert_eq!(std::iter::from_fn(|| decoder.next_event()).count(), 300_000);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }

    #[test]
    fn an_event_without_end_is_refused_at_the_limit() {
        let mut decoder = Decoder::default();
        let chunk = vec![b'x'; MAX_EVENT / 2];
        assert_eq!(decoder.push(&chunk), Ok(()));
        assert_eq!(decoder.push(&chunk), Ok(()));
        assert_eq!(decoder.push(b"x"), Err(TooLarge));
    }
}
