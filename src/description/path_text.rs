//! The text of a path around its parameters.

/// The text before, between and after the parameters of a segment: one text for a literal segment.
pub(crate) fn texts_between(segment: &str) -> Vec<Box<str>> {
    let mut texts = Vec::new();
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((_, after)) = after.split_once('}') else { break };
        texts.push(before.into());
        rest = after;
    }
    texts.push(rest.into());
    texts
}
