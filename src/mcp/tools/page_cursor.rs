//! The cursor by which an agent asks for the next page of an answer.

/// Position at which a page of an answer ended.
pub(super) struct PageCursor {
    pub(super) view: u64,
    pub(super) question: u64,
    pub(super) start: usize,
}

impl std::fmt::Display for PageCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:08x}-{:x}", self.view, self.question, self.start)
    }
}

impl PageCursor {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (known, start) = text.split_once('-')?;
        let number = |text: Option<&str>| u64::from_str_radix(text?, 16).ok();
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        (is_hex && known.len() == 24).then_some(())?;
        Some(Self {
            view: number(known.get(..16))?,
            question: number(known.get(16..))?,
            start: usize::from_str_radix(start, 16).ok()?,
        })
    }
}
