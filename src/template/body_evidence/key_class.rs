//! What the name of a key says about its values.

/// The class of a key, by the last word of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyClass {
    /// `id`, `user_id`, `uuid`, `sku`: tells one thing from all others.
    Identifier,
    /// `name`, `login`, `slug`: names one thing.
    Name,
    /// `type`, `status`, `apiVersion`: one of a few that the API defines.
    Kind,
    /// Any other key.
    Other,
}

/// Last words of the keys of identifiers.
const IDENTIFIERS: [&[u8]; 33] = [
    b"id",
    b"ids",
    b"identifier",
    b"uuid",
    b"guid",
    b"uid",
    b"gid",
    b"iid",
    b"pid",
    b"oid",
    b"key",
    b"code",
    b"codes",
    b"number",
    b"sku",
    b"ref",
    b"reference",
    b"sha",
    b"hash",
    b"digest",
    b"arn",
    b"urn",
    b"serial",
    b"isbn",
    b"ean",
    b"barcode",
    b"ticker",
    b"symbol",
    b"iata",
    b"icao",
    b"etag",
    b"pk",
    b"nummer",
];

/// Last words of the keys of names.
const NAMES: [&[u8]; 46] = [
    b"name",
    b"names",
    b"login",
    b"username",
    b"user",
    b"users",
    b"slug",
    b"slugs",
    b"title",
    b"tag",
    b"tags",
    b"label",
    b"labels",
    b"path",
    b"paths",
    b"zone",
    b"region",
    b"domain",
    b"domains",
    b"host",
    b"hostname",
    b"email",
    b"handle",
    b"alias",
    b"nickname",
    b"account",
    b"owner",
    b"author",
    b"project",
    b"repository",
    b"repo",
    b"branch",
    b"organization",
    b"org",
    b"tenant",
    b"workspace",
    b"team",
    b"group",
    b"screenname",
    b"filename",
    b"dirname",
    b"fullname",
    b"nom",
    b"nome",
    b"nombre",
    b"naam",
];

/// Last words of the keys of kinds.
const KINDS: [&[u8]; 24] = [
    b"type",
    b"types",
    b"kind",
    b"kinds",
    b"class",
    b"status",
    b"state",
    b"version",
    b"namespace",
    b"category",
    b"method",
    b"action",
    b"event",
    b"object",
    b"mode",
    b"level",
    b"scope",
    b"rel",
    b"format",
    b"unit",
    b"resource",
    b"operation",
    b"verb",
    b"model",
];

impl KeyClass {
    /// The class of a key, in any case and with any separators.
    pub(crate) fn of(key: &[u8]) -> Self {
        let mut word = [0; MAX_WORD_BYTES];
        let Some(word) = last_word(key, &mut word) else { return Self::Other };
        let is_one_of = |words: &[&[u8]]| words.contains(&word);
        if is_one_of(&IDENTIFIERS) {
            Self::Identifier
        } else if is_one_of(&NAMES) {
            Self::Name
        } else if is_one_of(&KINDS) {
            Self::Kind
        } else {
            Self::Other
        }
    }
}

/// Longer than any word of the lists.
const MAX_WORD_BYTES: usize = 16;

/// The last word of a key in lower case; `None` if it is longer than the buffer, or empty.
fn last_word<'b>(key: &[u8], buffer: &'b mut [u8; MAX_WORD_BYTES]) -> Option<&'b [u8]> {
    let mut start = key.len();
    while start > 0 {
        let byte = key[start - 1];
        if !byte.is_ascii_alphabetic() {
            break;
        }
        start -= 1;
        // `userId`, and `userID`, whose capitals are one word.
        let next_is_capital = key.get(start + 1).is_some_and(u8::is_ascii_uppercase);
        let previous_is_capital = start > 0 && key[start - 1].is_ascii_uppercase();
        if byte.is_ascii_uppercase() && !(next_is_capital || previous_is_capital) {
            break;
        }
        if byte.is_ascii_uppercase() && next_is_capital && !previous_is_capital {
            break;
        }
    }
    let word = &key[start..];
    let out = buffer.get_mut(..word.len())?;
    out.copy_from_slice(word);
    out.make_ascii_lowercase();
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_tells_the_class() {
        for (key, class) in [
            ("id", KeyClass::Identifier),
            ("_id", KeyClass::Identifier),
            ("user_id", KeyClass::Identifier),
            ("userId", KeyClass::Identifier),
            ("userID", KeyClass::Identifier),
            ("ID", KeyClass::Identifier),
            ("full_name", KeyClass::Name),
            ("fullName", KeyClass::Name),
            ("NAME", KeyClass::Name),
            ("tag-name", KeyClass::Name),
            ("apiVersion", KeyClass::Kind),
            ("@type", KeyClass::Kind),
            ("paid", KeyClass::Other),
            ("description", KeyClass::Other),
            ("", KeyClass::Other),
            ("a_very_long_word_that_is_none_of_those_that_are_known", KeyClass::Other),
            ("internationalization", KeyClass::Other),
        ] {
            assert_eq!(KeyClass::of(key.as_bytes()), class, "{key}");
        }
    }
}
