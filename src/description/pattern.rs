//! Regular expressions of a description, whose cost is bounded.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

/// Memory of one compiled regular expression, in bytes, and of one after the first [`MAX_MEDIUM_PATTERNS`]. A description may be
/// hostile: all of its patterns together take at most 260 MB.
const MAX_PATTERN_BYTES: usize = 256 << 10;
const MAX_LATER_PATTERN_BYTES: usize = 16 << 10;
const MAX_MEDIUM_PATTERNS: usize = 500;

/// Memory of one of the few that may be large, such as `.{0,1023}`, in bytes; and how many these are.
const MAX_LARGE_PATTERN_BYTES: usize = 4 << 20;
const MAX_LARGE_PATTERNS: usize = 16;

/// Patterns of one description.
const MAX_PATTERNS: usize = 5_000;

/// Backtracks of a pattern that is not regular, for one text.
const MAX_BACKTRACKS: usize = 1000;

/// Bytes of a text that a pattern that is not regular is compared with.
const MAX_BACKTRACKED_BYTES: usize = 256;

/// A pattern of JSON Schema.
#[derive(Clone, Debug)]
pub(crate) enum PatternRule {
    /// Takes time that is linear in the text.
    Regular(Regex),
    /// Looks around or back, and may take more time than there is.
    Backtracking(Box<fancy_regex::Regex>),
}

impl PatternRule {
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
    large: usize,
}

impl PatternCompiler {
    /// Compiles a pattern; `None` if it is not valid or too large, or there are too many.
    pub(super) fn compile(&mut self, pattern: &str) -> Option<PatternRule> {
        if let Some(known) = self.compiled.get(pattern) {
            return known.clone();
        }
        if self.compiled.len() >= MAX_PATTERNS {
            return None;
        }
        let compiled = self.compile_new(pattern);
        self.compiled.insert(pattern.to_owned(), compiled.clone());
        compiled
    }

    fn compile_new(&mut self, pattern: &str) -> Option<PatternRule> {
        let is_early = self.compiled.len() < MAX_MEDIUM_PATTERNS;
        let most = if is_early { MAX_PATTERN_BYTES } else { MAX_LATER_PATTERN_BYTES };
        let regular = |bytes| {
            RegexBuilder::new(pattern).size_limit(bytes).dfa_size_limit(MAX_PATTERN_BYTES).build()
        };
        match regular(most) {
            Ok(regular) => return Some(PatternRule::Regular(regular)),
            Err(regex::Error::CompiledTooBig(_)) if self.large < MAX_LARGE_PATTERNS => {
                self.large += 1;
                return regular(MAX_LARGE_PATTERN_BYTES).ok().map(PatternRule::Regular);
            }
            Err(_) => {}
        }
        let built = fancy_regex::RegexBuilder::new(pattern)
            .backtrack_limit(MAX_BACKTRACKS)
            .delegate_size_limit(MAX_LATER_PATTERN_BYTES)
            .delegate_dfa_size_limit(MAX_PATTERN_BYTES)
            .build();
        built.ok().map(|built| PatternRule::Backtracking(Box::new(built)))
    }
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
    fn few_patterns_may_be_large() {
        let mut compiler = PatternCompiler::default();
        for number in 0..MAX_LARGE_PATTERNS {
            assert!(compiler.compile(&format!("a{number}[^/].{{0,1023}}")).is_some());
        }
        assert!(compiler.compile("b[^/].{0,1023}").is_none());
        assert!(compiler.compile("a0[^/].{0,1023}").unwrap().matches("a0bc").unwrap());
    }
}
