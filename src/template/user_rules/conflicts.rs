//! Conflicts of rules: two for one place, one that covers another, one that forbids what another asks for, and a name that
//! a template gives twice.

use std::collections::BTreeSet;

use crate::flow::text;
use crate::template::user_rules::{HostRule, PathRule, RuleKind, RuleSegment, Rules};

impl Rules {
    /// One sentence for each rule that is for the place of an earlier one, that covers one, that forbids
    /// the parameter of one, or that gives two parameters one name.
    pub(crate) fn conflicts(&self) -> Vec<String> {
        let mut sentences = self.contradictions();
        sentences.extend(self.hosts_for_one_place());
        sentences.extend(self.names_given_twice());
        for (at, rule) in self.paths.iter().enumerate() {
            for earlier in self.paths[..at].iter().filter(|other| other.kind == rule.kind) {
                let sentence = if is_same_place(earlier, rule) {
                    Some(format!(
                        "the rules for {} in line {} and for {} in line {} are for one place; leave one of them out",
                        earlier.path, earlier.line, rule.path, rule.line
                    ))
                } else if rule.kind != RuleKind::Template {
                    None
                } else if covers(earlier, rule) {
                    Some(covering(earlier, rule))
                } else if covers(rule, earlier) {
                    Some(covering(rule, earlier))
                } else {
                    None
                };
                sentences
                    .extend(sentence.map(|text| text::printable(text.as_bytes()).into_owned()));
            }
        }
        sentences
    }

    /// One sentence for each rule that groups the hosts of an earlier one.
    fn hosts_for_one_place(&self) -> impl Iterator<Item = String> {
        let later = self.hosts.iter().enumerate();
        later.filter_map(|(at, rule)| {
            let is_same = |other: &&HostRule| {
                (&*other.before, &*other.after) == (&*rule.before, &*rule.after)
            };
            let earlier = self.hosts[..at].iter().find(is_same)?;
            let sentence = format!(
                "the rules for {} in line {} and for {} in line {} are for one group of hosts; leave one of them out",
                earlier.template, earlier.line, rule.template, rule.line
            );
            Some(text::printable(sentence.as_bytes()).into_owned())
        })
    }

    /// One sentence for each template in which a name stands twice.
    fn names_given_twice(&self) -> impl Iterator<Item = String> {
        let templates = self.paths.iter().filter(|rule| rule.kind == RuleKind::Template);
        templates.filter_map(|rule| {
            let mut names = rule.segments.iter().flat_map(|segment| match segment {
                RuleSegment::Parameter { names, .. } => &names[..],
                _ => &[],
            });
            let mut seen = BTreeSet::new();
            let twice = names.find(|name| !seen.insert(*name))?;
            let sentence = format!(
                "the rule for {} in line {} names two parameters {twice}, and the second is shown as {twice}_2; give it another name",
                rule.path, rule.line
            );
            Some(text::printable(sentence.as_bytes()).into_owned())
        })
    }

    /// One sentence for each template that has a parameter where another rule forbids one.
    fn contradictions(&self) -> Vec<String> {
        let of_kind = |kind| self.paths.iter().filter(move |rule| rule.kind == kind);
        let mut sentences = Vec::new();
        for forbidden in of_kind(RuleKind::Forbid) {
            // The last segment of a forbidden merge is `*`, which stands for its siblings.
            let Some((_, before)) = forbidden.segments.split_last() else { continue };
            let contradicts = |rule: &&PathRule| {
                is_same_host(forbidden, rule)
                    && begins_with(&rule.segments, before)
                    && matches!(
                        rule.segments.get(before.len()),
                        Some(RuleSegment::Parameter { .. })
                    )
            };
            for rule in of_kind(RuleKind::Template).filter(contradicts) {
                let sentence = format!(
                    "the rule for {} in line {} forbids a parameter that {} in line {} asks for, and the latter holds; leave one of them out",
                    forbidden.path, forbidden.line, rule.path, rule.line
                );
                sentences.push(text::printable(sentence.as_bytes()).into_owned());
            }
        }
        sentences
    }
}

fn covering(wide: &PathRule, narrow: &PathRule) -> String {
    format!(
        "the rule for {} in line {} also covers {} in line {}; give it a literal that tells them apart, if that is not meant",
        wide.path, wide.line, narrow.path, narrow.line
    )
}

fn is_same_host(a: &PathRule, b: &PathRule) -> bool {
    a.host == b.host
}

/// Returns `true` for rules of one host whose paths differ in the names of parameters alone.
fn is_same_place(a: &PathRule, b: &PathRule) -> bool {
    is_same_host(a, b) && is_same_path(a, b)
}

fn is_same_path(a: &PathRule, b: &PathRule) -> bool {
    a.segments.len() == b.segments.len() && begins_with(&a.segments, &b.segments)
}

/// Returns `true` if the first segments of a path are those of `prefix`, whatever their parameters are named.
fn begins_with(path: &[RuleSegment], prefix: &[RuleSegment]) -> bool {
    let is_same = |(a, b): (&RuleSegment, &RuleSegment)| match (a, b) {
        (
            RuleSegment::Parameter { frame: a, rest: first, .. },
            RuleSegment::Parameter { frame: b, rest: second, .. },
        ) => a == b && first == second,
        (a, b) => a == b,
    };
    path.len() >= prefix.len() && path.iter().zip(prefix).all(is_same)
}

/// Returns `true` if every path of `narrow` is one of `wide`, which has parameters in place of literals.
fn covers(wide: &PathRule, narrow: &PathRule) -> bool {
    let is_whole = |frame: &[u8]| frame == b"\0";
    let covers = |(wide, narrow): (&RuleSegment, &RuleSegment)| match (wide, narrow) {
        (RuleSegment::Parameter { frame, .. }, RuleSegment::Literal(_)) => is_whole(frame),
        (RuleSegment::Parameter { frame: a, .. }, RuleSegment::Parameter { frame: b, .. }) => {
            a == b || is_whole(a)
        }
        (wide, narrow) => wide == narrow,
    };
    // The last parameter may stand for any number of segments.
    let (first, rest) = match wide.segments.split_last() {
        Some((RuleSegment::Parameter { rest: true, .. }, first)) => (first, true),
        _ => (&*wide.segments, false),
    };
    let has_length = if rest {
        narrow.segments.len() > first.len()
    } else {
        narrow.segments.len() == first.len()
    };
    // A rule for a host beside one for all hosts is an exception, which is meant.
    (wide.host.is_none() || is_same_host(wide, narrow))
        && !is_same_path(wide, narrow)
        && has_length
        && first.iter().zip(&narrow.segments).all(covers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_one_place_and_rules_that_cover_others_are_named() {
        let rules = Rules::parse(
            "rules.toml",
            "[[template]]\npath = \"/users/{id}\"\n\n[[template]]\npath = \"/users/{uid}\"\n[[template]]\npath = \"/{a}/{b}\"\n\
             [[template]]\nhost = \"a.example\"\npath = \"/users/{id}\"\n[[literal]]\npath = \"/users/me\"\n",
        );
        let conflicts = rules.unwrap().conflicts();
        assert_eq!(conflicts.len(), 4, "{conflicts:#?}");
        assert!(
            conflicts[0]
                .contains("/users/{id} in line 2 and for /users/{uid} in line 5 are for one place")
        );
        assert!(conflicts[1].contains("/{a}/{b} in line 7 also covers /users/{id} in line 2"));
        assert!(conflicts[3].contains("/{a}/{b} in line 7 also covers /users/{id} in line 10"));
    }

    #[test]
    fn a_rule_for_the_rest_of_paths_covers_longer_ones() {
        let rules = Rules::parse(
            "rules.toml",
            "[[template]]\npath = \"/api/{rest+}\"\n[[template]]\npath = \"/api/users/{id}\"\n[[template]]\npath = \"/web/{id}\"\n",
        );
        let conflicts = rules.unwrap().conflicts();
        assert_eq!(conflicts.len(), 1, "{conflicts:#?}");
        assert!(
            conflicts[0].contains("/api/{rest+} in line 2 also covers /api/users/{id} in line 4")
        );
    }

    #[test]
    fn a_template_with_a_forbidden_parameter_is_named() {
        let rules = Rules::parse(
            "rules.toml",
            "[[forbid]]\npath = \"/users/*\"\n[[template]]\npath = \"/users/{user_id}/posts\"\n\
             [[template]]\npath = \"/users/me\"\n[[template]]\nhost = \"a.example\"\npath = \"/users/{id}\"\n",
        );
        let conflicts = rules.unwrap().conflicts();
        assert_eq!(conflicts.len(), 1, "{conflicts:#?}");
        assert!(conflicts[0].starts_with(
            "the rule for /users/* in line 2 forbids a parameter that /users/{user_id}/posts in line 4 asks for"
        ));
    }

    #[test]
    fn groups_of_hosts_and_names_that_stand_twice_are_named() {
        let rules = Rules::parse(
            "rules.toml",
            "[[host]]\ntemplate = \"{a}.shop.example\"\n[[host]]\ntemplate = \"{b}.shop.example\"\n\
             [[host]]\ntemplate = \"{a}.api.example\"\n[[template]]\npath = \"/a/{id}/b/{id}\"\n",
        );
        let conflicts = rules.unwrap().conflicts();
        assert_eq!(conflicts.len(), 2, "{conflicts:#?}");
        assert!(conflicts[0].contains(
            "{a}.shop.example in line 2 and for {b}.shop.example in line 4 are for one group of hosts"
        ));
        assert!(conflicts[1].contains("/a/{id}/b/{id} in line 8 names two parameters id"));
    }

    #[test]
    fn errors_name_the_line() {
        for (toml, line) in [
            ("[[template]]\n\npath = 3", 3),
            ("[[template]]\npath = \"/a\"\n[[literal]]\npath = \"x\"", 4),
            ("\n[[rename]]\npath = \"/a/{b}\"\nto = \"c d\"", 3),
            ("\n[[host]]\ntemplate = \"x\"", 3),
        ] {
            let error = Rules::parse("rules.toml", toml).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line}: ")), "{error}");
        }
    }
}
