//! Regular expressions of a description, whose cost is bounded.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

/// Bounds on the memory of a compiled pattern, in bytes, tried from the smallest: the first that suffices is what it costs.
const PATTERN_BYTES: [usize; 3] = [16 << 10, 256 << 10, 4 << 20];

/// The costs of all patterns of a description together, in bytes. One that is too large costs as much as the largest bound,
/// because the attempt takes as long: a description may be hostile.
const MAX_PATTERN_BYTES: usize = 256 << 20;

/// Memory of the automaton that is built while a pattern is matched, in bytes.
const MAX_AUTOMATON_BYTES: usize = 256 << 10;

/// Backtracks of a pattern that is not regular, for one text.
const MAX_BACKTRACKS: usize = 1000;

/// Bytes of a text that a pattern that is not regular is compared with.
const MAX_BACKTRACKED_BYTES: usize = 256;

/// A pattern of JSON Schema.
#[derive(Clone, Debug)]
pub(crate) enum PatternRule {
    /// Takes time that is linear in the text.
    Regular(Regex),
    /// A pattern with look-around or back-references, matched with a bounded number of backtracks.
    Backtracking(Box<fancy_regex::Regex>),
}

impl PatternRule {
    /// The pattern as it is compiled.
    pub(crate) fn source(&self) -> &str {
        match self {
            Self::Regular(regular) => regular.as_str(),
            Self::Backtracking(pattern) => pattern.as_str(),
        }
    }

    /// Whether a part of the text matches; `None` if that would take too long to find out.
    pub(crate) fn matches(&self, text: &str) -> Option<bool> {
        match self {
            Self::Regular(regular) => Some(regular.is_match(text)),
            Self::Backtracking(_) if text.len() > MAX_BACKTRACKED_BYTES => None,
            Self::Backtracking(pattern) => pattern.is_match(text).ok(),
        }
    }
}

/// The patterns of a description, each compiled once: descriptions repeat them.
#[derive(Debug, Default)]
pub(super) struct PatternCompiler {
    compiled: BTreeMap<String, Option<PatternRule>>,
    /// The costs so far: see [`MAX_PATTERN_BYTES`].
    bytes: usize,
}

impl PatternCompiler {
    /// Compiles a pattern; `None` if it is not valid or too large, or all patterns together are.
    pub(super) fn compile(&mut self, pattern: &str) -> Option<PatternRule> {
        if let Some(known) = self.compiled.get(pattern) {
            return known.clone();
        }
        if self.bytes >= MAX_PATTERN_BYTES {
            return None;
        }
        let (compiled, bytes) = compile(pattern);
        self.bytes += bytes;
        self.compiled.insert(pattern.to_owned(), compiled.clone());
        compiled
    }
}

/// Compiles a pattern, if it can be, and says what it costs in bytes.
fn compile(pattern: &str) -> (Option<PatternRule>, usize) {
    let [smallest, .., largest] = PATTERN_BYTES;
    for bytes in PATTERN_BYTES {
        let mut builder = RegexBuilder::new(pattern);
        match builder.size_limit(bytes).dfa_size_limit(MAX_AUTOMATON_BYTES).build() {
            Ok(regular) => return (Some(PatternRule::Regular(regular)), bytes),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => {
                // Each of its groups may be compiled as a pattern of its own.
                let groups = 1 + pattern.bytes().filter(|byte| *byte == b'(').count();
                let built = fancy_regex::RegexBuilder::new(pattern)
                    .backtrack_limit(MAX_BACKTRACKS)
                    .delegate_size_limit(smallest)
                    .delegate_dfa_size_limit(MAX_AUTOMATON_BYTES)
                    .build();
                let rule = built.ok().map(|built| PatternRule::Backtracking(Box::new(built)));
                return (rule, groups * smallest);
            }
        }
    }
    (None, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(pattern: &str) -> Option<PatternRule> {
        PatternCompiler::default().compile(pattern)
    }

    #[test]
    fn patterns_that_look_around_are_bounded() {
        let pattern = compiled("^(?![0-9]+$)[a-z0-9-]{2,9}$").unwrap();
        assert_eq!(pattern.matches("abc-1"), Some(true));
        assert_eq!(pattern.matches("1234"), Some(false));
        assert_eq!(pattern.matches(&"a".repeat(MAX_BACKTRACKED_BYTES + 1)), None);
        let hostile = compiled(r"(a+)(a+)(a+)\1\2\3c").unwrap();
        assert_eq!(hostile.matches(&"a".repeat(200)), None);
        assert!(compiled("(").is_none());
        assert!(compiled(r"\w{1000}{1000}{1000}").is_none());
    }

    #[test]
    fn all_patterns_together_are_bounded() {
        let mut compiler = PatternCompiler::default();
        let mut count = 0;
        while compiler.compile(&format!("a{count}[^/].{{0,1023}}")).is_some() {
            count += 1;
        }
        assert_eq!(count, MAX_PATTERN_BYTES / PATTERN_BYTES[2]);
        assert!(compiler.compile("b").is_none());
        assert!(compiler.compile("a0[^/].{0,1023}").unwrap().matches("a0bc").unwrap());
    }
}
