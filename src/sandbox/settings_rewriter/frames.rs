//! A walk over outgoing frames that puts the limit into SETTINGS.

use std::borrow::Cow;

const FRAME_HEADER: usize = 9;
pub(super) const SETTINGS_FRAME: u8 = 4;
pub(super) const ACKNOWLEDGEMENT: u8 = 1;
pub(super) const MAX_CONCURRENT_STREAMS: u8 = 3;
pub(super) const INITIAL_WINDOW_SIZE: u8 = 4;

/// Where in the outgoing frames the writer is; small, because it is copied for every write.
#[derive(Clone, Copy, Default)]
pub(super) struct Frames {
    header: [u8; FRAME_HEADER],
    header_length: usize,
    payload_left: usize,
    in_settings: bool,
    first_settings_seen: bool,
    entry: Entry,
}

/// Where in the six bytes of a setting the writer is, and what is put over its value.
#[derive(Clone, Copy, Default)]
struct Entry {
    position: usize,
    identifier_high: u8,
    value: Option<[u8; 4]>,
}

impl Frames {
    /// Walks over `bytes` and gives back what is to be written instead of them: as many bytes.
    pub(super) fn pass<'a>(&mut self, bytes: &'a [u8], limit: u32) -> Cow<'a, [u8]> {
        let mut output = Cow::Borrowed(bytes);
        let mut at = 0;
        while at < bytes.len() {
            let left = bytes.len() - at;
            if self.header_length < FRAME_HEADER {
                let taken = left.min(FRAME_HEADER - self.header_length);
                self.header[self.header_length..][..taken].copy_from_slice(&bytes[at..][..taken]);
                self.header_length += taken;
                at += taken;
                if self.header_length == FRAME_HEADER {
                    self.begin_payload();
                }
            } else if self.in_settings {
                output.to_mut()[at] = self.entry.pass(bytes[at], self.first_settings_seen, limit);
                self.payload_left -= 1;
                at += 1;
            } else {
                let taken = left.min(self.payload_left);
                self.payload_left -= taken;
                at += taken;
            }
            if self.header_length == FRAME_HEADER && self.payload_left == 0 {
                self.first_settings_seen |= self.in_settings;
                self.header_length = 0;
            }
        }
        output
    }

    /// Whether a frame has ended and none has begun.
    pub(super) fn is_between(&self) -> bool {
        self.header_length == 0
    }

    fn begin_payload(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.payload_left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.in_settings = kind == SETTINGS_FRAME && flags & ACKNOWLEDGEMENT == 0;
        self.entry = Entry::default();
    }
}

impl Entry {
    fn pass(&mut self, byte: u8, first_settings_seen: bool, limit: u32) -> u8 {
        let replaced =
            if first_settings_seen { INITIAL_WINDOW_SIZE } else { MAX_CONCURRENT_STREAMS };
        let position = self.position;
        self.position = (position + 1) % 6;
        match position {
            0 => {
                self.identifier_high = byte;
                byte
            }
            1 if self.identifier_high == 0 && byte == replaced => {
                self.value = Some(limit.to_be_bytes());
                MAX_CONCURRENT_STREAMS
            }
            1 => {
                self.value = None;
                byte
            }
            _ => self.value.map_or(byte, |value| value[position - 2]),
        }
    }
}
