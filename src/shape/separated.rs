//! Values of parameters that are lists in one string, as `1,2,3`: counted by their separator, beside the other values.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::shape::formats::StringFormat;
use crate::shape::sensitive::SensitiveKind;
use crate::shape::strings::Strings;
use crate::shape::{Shape, boxed_bytes};
use crate::sketch::{HeapSize, Merge, merge_option};

/// The longest item of a list in one string, in bytes: a longer one is text.
const MAX_ITEM_BYTES: usize = 64;

/// Lists that must have been seen before the values of a parameter are lists.
const MIN_LISTS: u64 = 3;

/// At least one value in this many must be a list of several items.
const MAX_VALUES_PER_LIST: u64 = 4;

/// The style of a list that is written in one string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListStyle {
    Comma,
    Pipe,
    Space,
}

impl ListStyle {
    pub(crate) const ALL: [Self; 3] = [Self::Comma, Self::Pipe, Self::Space];

    fn separator(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Pipe => '|',
            Self::Space => ' ',
        }
    }

    /// The name of the style in OpenAPI, where it is without `explode`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Comma => "form",
            Self::Pipe => "pipeDelimited",
            Self::Space => "spaceDelimited",
        }
    }

    /// The style of a value that is a list of at least two items, each an id, a number or a word; `None` for other values.
    ///
    /// Words between spaces are text more often than a list, so these items are numbers and UUIDs only.
    fn of(text: &str) -> Option<Self> {
        let style = Self::ALL.into_iter().find(|style| text.contains(style.separator()))?;
        let is_item = |item: &str| match style {
            Self::Comma | Self::Pipe => is_plain(item),
            Self::Space => matches!(
                StringFormat::of(item.as_bytes()),
                Some(StringFormat::Integer | StringFormat::Decimal | StringFormat::Uuid)
            ),
        };
        // A number of a phone or a card may be written in groups.
        let is_list = text.split(style.separator()).all(is_item)
            && SensitiveKind::of(text.as_bytes()).is_none();
        is_list.then_some(style)
    }
}

/// True for an id, a number or a word, also one with a path or a prefix: `t3_5dec00`, `user/id`, `-created_at`.
fn is_plain(item: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/*".contains(&byte);
    (1..=MAX_ITEM_BYTES).contains(&item.len()) && item.bytes().all(is_part) && !item.contains("//")
}

/// The values of a parameter that are lists in one string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Separated {
    /// Other values that are not a single item either: with them the parameter is text.
    pub(crate) text: u64,
    /// In the order of [`ListStyle::ALL`].
    styles: [Option<Box<StyledLists>>; 3],
}

/// The lists of one style.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StyledLists {
    /// The lists as they are written, which are strings if the parameter is text.
    pub(crate) whole: Strings,
    pub(crate) items: Strings,
}

impl Separated {
    fn styled(&self) -> impl Iterator<Item = &StyledLists> {
        self.styles.iter().flatten().map(|lists| &**lists)
    }

    /// Number of values that are lists.
    pub(crate) fn lists(&self) -> u64 {
        self.styled().map(|lists| lists.whole.count).sum()
    }

    /// Nodes that it counts as.
    pub(super) fn nodes(&self) -> usize {
        self.styled().count() * 2
    }

    /// All strings, to check what they count.
    pub(super) fn strings(&self) -> impl Iterator<Item = &Strings> {
        self.styled().flat_map(|lists| [&lists.whole, &lists.items])
    }
}

impl Shape {
    /// Adds the value of a parameter that came once.
    pub(super) fn observe_parameter(&mut self, text: &str) {
        if let Some(style) = ListStyle::of(text) {
            let separated = self.separated.get_or_insert_default();
            let lists = separated.styles[style as usize].get_or_insert_default();
            lists.whole.observe(text);
            text.split(style.separator()).for_each(|item| lists.items.observe(item));
            return;
        }
        if !text.is_empty() && !is_plain(text) {
            self.separated.get_or_insert_default().text += 1;
        }
        self.strings.get_or_insert_default().observe(text);
    }

    /// All strings, with those that are lists too; `None` if there are none.
    pub(crate) fn all_strings(&self) -> Option<Cow<'_, Strings>> {
        let mut all = self.strings.as_deref().map(Cow::Borrowed);
        for lists in self.separated.iter().flat_map(|separated| separated.styled()) {
            all.get_or_insert_default().to_mut().merge(lists.whole.clone());
        }
        all
    }

    /// The style of the lists that all values are, and their items, of which a value without the separator is a single one;
    /// `None` if the values are text.
    pub(crate) fn separated_lists(&self) -> Option<(ListStyle, Cow<'_, Strings>)> {
        let separated = self.separated.as_deref()?;
        let mut found = ListStyle::ALL.into_iter().zip(&separated.styles);
        let (style, lists) = found.find_map(|(style, lists)| Some((style, lists.as_deref()?)))?;
        let single = self.strings.as_deref();
        let filled = single.map_or(0, |strings| strings.count - strings.empty);
        let count = lists.whole.count;
        let is_regular = separated.text == 0
            && count == separated.lists()
            && count >= MIN_LISTS
            && count * MAX_VALUES_PER_LIST >= count + filled;
        if !is_regular || self.items.is_some() {
            return None;
        }
        let mut items = Cow::Borrowed(&lists.items);
        if let Some(single) = single {
            items.to_mut().merge(single.clone());
        }
        Some((style, items))
    }
}

impl Merge for StyledLists {
    fn merge(&mut self, other: Self) {
        self.whole.merge(other.whole);
        self.items.merge(other.items);
    }
}

impl Merge for Separated {
    fn merge(&mut self, other: Self) {
        self.text += other.text;
        for (one, other) in self.styles.iter_mut().zip(other.styles) {
            merge_option(one, other);
        }
    }
}

impl HeapSize for StyledLists {
    fn heap_bytes(&self) -> usize {
        self.whole.heap_bytes() + self.items.heap_bytes()
    }
}

impl HeapSize for Separated {
    fn heap_bytes(&self) -> usize {
        self.styles.iter().map(|lists| boxed_bytes(lists.as_deref())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style_of(values: &[&str]) -> Option<ListStyle> {
        let mut shape = Shape::default();
        values.iter().for_each(|value| shape.observe_parameter(value));
        shape.separated_lists().map(|(style, _)| style)
    }

    #[test]
    fn lists_are_told_from_text_with_separators() {
        assert_eq!(style_of(&["1,2,3", "4", "5,6", "7,8"]), Some(ListStyle::Comma));
        assert_eq!(
            style_of(&["id,user/name", "-created_at,*", "", "id,t3_5"]),
            Some(ListStyle::Comma)
        );
        assert_eq!(style_of(&["a|b", "b|c", "c|d"]), Some(ListStyle::Pipe));
        assert_eq!(style_of(&["1 2", "3 4", "5 6 7"]), Some(ListStyle::Space));
        for values in [
            // Too few of them.
            &["1,2", "3,4"][..],
            &["1,2", "3,4", "5,6", "7", "8", "9", "1", "2", "3", "4", "5", "6", "7"],
            &["a,b", "b,c", "c,d", "Hello, world"],
            &["a,b", "b,c", "c,d", "what is it?"],
            &["new york", "red green", "big apple"],
            &["a,b", "b,c", "c,d", "d|e"],
            &["1,,2", "3,,4", "5,,6"],
            &["https://a.example/b,c", "https://a.example/c,d", "https://a.example/e,f"],
            &["4111 1111 1111 1111", "5555 5555 5555 4444", "4012 8888 8888 1881"],
        ] {
            assert_eq!(style_of(values), None, "{values:?}");
        }
    }
}
