//! Server-sent events: read piece by piece, with a bound on each (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::fmt::Write as _;

/// One event with data, or with an id at which the stream can be resumed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StreamEvent {
    pub(super) data: String,
    /// The id by which a stream is taken up again.
    pub(super) id: Option<String>,
}

/// The part of a stream that is not a whole event yet.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    line: Vec<u8>,
    event: StreamEvent,
    max_bytes: usize,
    had_return: bool,
}

impl EventReader {
    /// Reads events of at most so many bytes.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, ..Self::default() }
    }

    /// Takes the next bytes of the stream and gives the events that they end; `None` if one is too long.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<Vec<StreamEvent>> {
        let mut events = Vec::new();
        for byte in bytes {
            let is_second =
                std::mem::replace(&mut self.had_return, *byte == b'\r') && *byte == b'\n';
            match byte {
                b'\n' if is_second => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                byte => self.line.push(*byte),
            }
            if self.line.len() + self.event.data.len() > self.max_bytes {
                return None;
            }
        }
        Some(events)
    }

    fn end_line(&mut self) -> Option<StreamEvent> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            event.data.truncate(event.data.trim_end_matches('\n').len());
            return (event != StreamEvent::default()).then_some(event);
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => writeln!(self.event.data, "{value}").unwrap_or_default(),
            "id" => self.event.id = Some(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_are_read_whatever_ends_their_lines() {
        for end in ["\n", "\r\n", "\r"] {
            let text = [
                ": hello",
                "id: 7",
                "event: message",
                "data: {\"a\":",
                "data:1}",
                "",
                "data",
                "",
                "id: 8",
                "",
                "",
            ];
            let mut reader = EventReader::new(100);
            let events = reader.read(text.join(end).as_bytes()).unwrap();
            let event = |data: &str, id: Option<&str>| StreamEvent {
                data: data.to_owned(),
                id: id.map(str::to_owned),
            };
            assert_eq!(events, [event("{\"a\":\n1}", Some("7")), event("", Some("8"))]);
        }
        assert_eq!(EventReader::new(10).read(b"data: 12345678"), None);
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_where_the_stream_is_cut(text in "[a:\r\n d]{0,60}", cut in 0_usize..60) {
            let mut whole = EventReader::new(1000);
            let mut parts = EventReader::new(1000);
            let cut = cut.min(text.len());
            let mut events = parts.read(&text.as_bytes()[..cut]).unwrap();
            events.extend(parts.read(&text.as_bytes()[cut..]).unwrap());
            prop_assert_eq!(whole.read(text.as_bytes()).unwrap(), events);
        }
    }
}
