//! The name of a GraphQL document (<https://spec.graphql.org/October2021/#sec-Document-Syntax>): that of its operation, otherwise its
//! root fields.

/// The most root fields in a name.
const MAX_ROOT_FIELDS: usize = 3;

/// The most fragments of a document whose fields are read.
const MAX_FRAGMENTS: usize = 8;

/// Bytes of a document that are read.
const MAX_DOCUMENT_BYTES: usize = 16 << 10;

/// The name of the first operation of a document; for one without a name its root fields, sorted, in braces: `{orders,users}`. `None`
/// if the text is not a document.
pub(super) fn operation_name(document: &str) -> Option<String> {
    let mut end = document.len().min(MAX_DOCUMENT_BYTES);
    while !document.is_char_boundary(end) {
        end -= 1;
    }
    let document = &document[..end];
    let mut tokens = GraphqlTokens::of(document);
    loop {
        match tokens.next()? {
            GraphqlToken::Sign(b'{') => return root_fields(&mut tokens, document),
            GraphqlToken::Name("query" | "mutation" | "subscription") => break,
            // Fragments may stand before the operation.
            GraphqlToken::Name("fragment") => {
                tokens.skip_to(b'{')?;
                tokens.skip_block(b'{', b'}')?;
            }
            _ => return None,
        }
    }
    match tokens.next()? {
        GraphqlToken::Name(name) => {
            let name = name.to_owned();
            // A text that begins with these words is not a document yet.
            tokens.skip_to(b'{')?;
            Some(name)
        }
        GraphqlToken::Sign(b'{') => root_fields(&mut tokens, document),
        GraphqlToken::Sign(sign) => {
            if sign == b'(' {
                tokens.skip_block(b'(', b')')?;
            }
            tokens.skip_to(b'{')?;
            root_fields(&mut tokens, document)
        }
    }
}

/// The fields of a selection whose brace was read, and those of the fragments that it spreads, in braces.
fn root_fields<'d>(tokens: &mut GraphqlTokens<'d>, document: &'d str) -> Option<String> {
    let mut selection = GraphqlSelection::default();
    selection.read(tokens);
    // A fragment may spread others, which are added behind it, also itself.
    let mut read = 0;
    while let Some(name) = selection.spreads.get(read) {
        if let Some(mut definition) = GraphqlTokens::of(document).after_fragment(name) {
            selection.read(&mut definition);
        }
        read += 1;
    }
    let mut fields = selection.fields;
    fields.sort_unstable();
    fields.dedup();
    fields.truncate(MAX_ROOT_FIELDS);
    (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(",")))
}

/// The first level of a selection, with that of its inline fragments.
#[derive(Default)]
struct GraphqlSelection<'d> {
    fields: Vec<&'d str>,
    /// Names of the fragments that are spread, each once, at most [`MAX_FRAGMENTS`].
    spreads: Vec<&'d str>,
}

impl<'d> GraphqlSelection<'d> {
    /// Adds what stands in a selection whose brace was read. What is cut off has the fields that were read so far.
    fn read(&mut self, tokens: &mut GraphqlTokens<'d>) {
        // Blocks that are open, and how many of them are the selection itself or inline fragments in it.
        let (mut depth, mut first_level) = (1, 1);
        let mut last: Option<&str> = None;
        let (mut is_spread, mut is_inline, mut is_other) = (false, false, false);
        while depth > 0 {
            let Some(token) = tokens.next() else { break };
            match token {
                GraphqlToken::Name(_) if depth > first_level => {}
                // The name of a directive, and the type of an inline fragment.
                GraphqlToken::Name(_) if is_other || is_inline => is_other = false,
                GraphqlToken::Name("on") if is_spread => is_inline = true,
                GraphqlToken::Name(name) if is_spread => {
                    is_spread = false;
                    if !self.spreads.contains(&name) && self.spreads.len() < MAX_FRAGMENTS {
                        self.spreads.push(name);
                    }
                }
                GraphqlToken::Name(name) => self.fields.extend(last.replace(name)),
                // The name before a colon is an alias.
                GraphqlToken::Sign(b':') if depth == first_level => last = None,
                GraphqlToken::Sign(b'.') if depth == first_level => is_spread = true,
                GraphqlToken::Sign(b'@') if depth == first_level => is_other = true,
                GraphqlToken::Sign(sign @ (b'{' | b'(' | b'[')) => {
                    // Objects in the arguments of a directive are deeper.
                    if sign == b'{' && depth == first_level {
                        first_level += i32::from(is_spread);
                        (is_spread, is_inline) = (false, false);
                    }
                    depth += 1;
                }
                GraphqlToken::Sign(b'}' | b')' | b']') => {
                    depth -= 1;
                    first_level = first_level.min(depth);
                }
                GraphqlToken::Sign(_) => {}
            }
        }
        self.fields.extend(last);
    }
}

/// A lexical token of a document.
enum GraphqlToken<'d> {
    Name(&'d str),
    /// A punctuator, or the first byte of a number.
    Sign(u8),
}

/// The tokens of a document, without strings and comments.
struct GraphqlTokens<'d> {
    rest: &'d [u8],
}

impl<'d> GraphqlTokens<'d> {
    fn of(document: &'d str) -> Self {
        Self { rest: document.as_bytes() }
    }

    /// Finds the definition of a fragment, and returns the tokens of its selection; `None` if the document does not define it.
    fn after_fragment(mut self, name: &str) -> Option<Self> {
        loop {
            let token = self.next()?;
            if !matches!(token, GraphqlToken::Name("fragment")) {
                continue;
            }
            if matches!(self.next()?, GraphqlToken::Name(found) if found == name) {
                self.skip_to(b'{')?;
                return Some(self);
            }
        }
    }

    fn next(&mut self) -> Option<GraphqlToken<'d>> {
        loop {
            let (first, after) = self.rest.split_first()?;
            match first {
                b'#' => {
                    let end = memchr::memchr(b'\n', after)?;
                    self.rest = &after[end..];
                }
                b'"' => self.skip_string(),
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                    let length = self.rest.iter().take_while(|byte| is_name(byte)).count();
                    let (name, rest) = self.rest.split_at(length);
                    self.rest = rest;
                    return std::str::from_utf8(name).ok().map(GraphqlToken::Name);
                }
                b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xef | 0xbb | 0xbf => self.rest = after,
                sign => {
                    self.rest = after;
                    return Some(GraphqlToken::Sign(*sign));
                }
            }
        }
    }

    fn skip_string(&mut self) {
        let block = self.rest.starts_with(b"\"\"\"");
        let (start, end): (usize, &[u8]) = if block { (3, b"\"\"\"") } else { (1, b"\"") };
        let mut at = start;
        while at < self.rest.len() && !self.rest[at..].starts_with(end) {
            at += if self.rest[at] == b'\\' { 2 } else { 1 };
        }
        self.rest = self.rest.get(at + end.len()..).unwrap_or_default();
    }

    fn skip_to(&mut self, sign: u8) -> Option<()> {
        loop {
            match self.next()? {
                GraphqlToken::Sign(found) if found == sign => return Some(()),
                // Arguments may hold objects.
                GraphqlToken::Sign(b'(') => self.skip_block(b'(', b')')?,
                _ => {}
            }
        }
    }

    /// Skips a block whose opening sign was read.
    fn skip_block(&mut self, open: u8, close: u8) -> Option<()> {
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                GraphqlToken::Sign(sign) if sign == open => depth += 1,
                GraphqlToken::Sign(sign) if sign == close => depth -= 1,
                _ => {}
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_names_or_root_fields() {
        for (document, name) in [
            ("query GetUser { id }", Some("GetUser")),
            ("mutation  AddUser($a: Int) @live { id }", Some("AddUser")),
            ("# a\n{ user(id: 7) { name } }", Some("{user}")),
            ("{ b a(x: {y: [z]}) @skip(if: $v) b }", Some("{a,b}")),
            ("query { me: user { id } ...F ... on Q { x } }", Some("{user,x}")),
            ("query ($id: ID = \"}{\") { node(id: $id) { id } }", Some("{node}")),
            ("fragment F on User { id } query Q { ...F }", Some("Q")),
            (
                "{ ...F } fragment F on Query { a: users(first: 1) { id } ...F ...G } fragment G on Query { b }",
                Some("{b,users}"),
            ),
            (
                "query { ...F @include(if: $x) c } fragment G on T { d } fragment F on Query @x { b { e } }",
                Some("{b,c}"),
            ),
            ("{ ... on Query @include(if: $x) { a { z } ... { b } } c }", Some("{a,b,c}")),
            ("{ ...F }", None),
            (
                "{ ... on Query @d(x: {y: 1}) { users { id } } orders { id } }",
                Some("{orders,users}"),
            ),
            (
                "fragment F on U @d(n: {type: \"Int\"}) { id } query Named { u { ...F } }",
                Some("Named"),
            ),
            ("query ($x: In = {a: 1}) @d(a: {b: 1}) { right }", Some("{right}")),
            (
                "{ ...F } fragment F($x: In = {a: 1}) on Query @d(a: {b: 1}) { right }",
                Some("{right}"),
            ),
            ("subscription @x { ticks }", Some("{ticks}")),
            ("{ a b c d }", Some("{a,b,c}")),
            ("{ users { id ", Some("{users}")),
            ("query shoes", None),
            ("red shoes", None),
            ("{\"match\": {\"a\": 1}}", None),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(operation_name(document).as_deref(), name, "{document}");
        }
    }
}
