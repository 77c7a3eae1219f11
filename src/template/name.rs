//! What a parameter is called: after the noun before it, never after the kind of its values.

use crate::template::Part;
use crate::template::secret::looks_secret;
use crate::template::segment::{SegmentKind, kind_of};

/// A name for the parameter that follows `parts`: unique among them.
pub(crate) fn parameter_name(parts: &[Part]) -> String {
    let base = noun_before(parts)
        .map_or_else(|| "id".to_owned(), |noun| format!("{}_id", singular(&noun)));
    unique(base, parts)
}

/// The name, with a number where it is taken.
pub(crate) fn unique(base: String, parts: &[Part]) -> String {
    let taken = |name: &str| {
        parts.iter().any(|part| matches!(part, Part::Parameter { name: have, .. } if have == name))
    };
    if !taken(&base) {
        return base;
    }
    // Of one more name than there are parts, one is free.
    let numbered = (2..parts.len() + 3).map(|n| format!("{base}_{n}"));
    numbered.into_iter().find(|name| !taken(name)).unwrap_or(base)
}

/// The last literal that says what is meant, in snake case: no version, no `api`.
fn noun_before(parts: &[Part]) -> Option<String> {
    parts.iter().rev().find_map(|part| match part {
        Part::Literal(text) => {
            let noun = snake_case(text);
            let says_nothing = matches!(
                kind_of(text),
                SegmentKind::Version | SegmentKind::Integer | SegmentKind::Number
            ) || matches!(&*noun, "api" | "rest" | "")
                || looks_secret(text);
            (!says_nothing).then_some(noun)
        }
        Part::Parameter { .. } => None,
    })
}

/// Words in lower case with `_` between them: `userGroups` and `user-groups` become `user_groups`.
fn snake_case(text: &[u8]) -> String {
    let mut out = String::new();
    let mut previous = b'_';
    for (i, &byte) in text.iter().take(48).enumerate() {
        if byte.is_ascii_alphanumeric() {
            let next_is_lower = text.get(i + 1).is_some_and(u8::is_ascii_lowercase);
            let hump = byte.is_ascii_uppercase()
                && (previous.is_ascii_lowercase()
                    || previous.is_ascii_digit()
                    || (previous.is_ascii_uppercase() && next_is_lower));
            if hump && !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            out.push(char::from(byte.to_ascii_lowercase()));
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        previous = byte;
    }
    let trimmed = out.trim_end_matches('_');
    if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
        format!("n{trimmed}")
    } else {
        trimmed.to_owned()
    }
}

/// The singular of the last word, by the rules that hold for the nouns of APIs.
fn singular(noun: &str) -> String {
    const UNCHANGED: [&str; 16] = [
        "news",
        "series",
        "species",
        "status",
        "address",
        "access",
        "process",
        "canvas",
        "analysis",
        "bus",
        "class",
        "alias",
        "dns",
        "kubernetes",
        "progress",
        "https",
    ];
    let (head, word) = noun.rfind('_').map_or(("", noun), |at| noun.split_at(at + 1));
    let singular = if matches!(word, "ips" | "ids" | "vms") {
        word[..2].to_owned()
    } else if UNCHANGED.contains(&word) || word.len() < 4 {
        word.to_owned()
    } else if word == "people" {
        "person".to_owned()
    } else if word == "children" {
        "child".to_owned()
    } else if let Some(stem) =
        word.strip_suffix("ies").filter(|stem| stem.len() > 1 && *stem != "mov" && *stem != "cook")
    {
        format!("{stem}y")
    } else if ["sses", "shes", "ches", "xes", "uses", "zzes"].iter().any(|end| word.ends_with(end))
        && word != "caches"
    {
        word.strip_suffix("es").unwrap_or(word).to_owned()
    } else if word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        word.to_owned()
    } else {
        word.strip_suffix('s').unwrap_or(word).to_owned()
    };
    format!("{head}{singular}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_after(path: &str) -> String {
        let mut parts = Vec::new();
        for segment in path.split('/').skip(1) {
            parts.push(if segment == "{}" {
                Part::Parameter {
                    name: parameter_name(&parts),
                    suffix: Box::default(),
                    rest: false,
                }
            } else {
                Part::Literal(segment.as_bytes().into())
            });
        }
        parameter_name(&parts)
    }

    #[test]
    fn parameters_are_named_after_the_noun_before_them() {
        for (path, name) in [
            ("/users", "user_id"),
            ("/api/v1/userGroups", "user_group_id"),
            ("/companies/{}/addresses", "address_id"),
            ("/repos/{}", "repo_id_2"),
            ("/repos/{}/{}", "repo_id_3"),
            ("/api/v2", "id"),
            ("", "id"),
            ("/statuses", "status_id"),
            ("/HTTPProxies", "http_proxy_id"),
            ("/orders/{}/orders", "order_id_2"),
            ("/people", "person_id"),
            ("/movies", "movie_id"),
            ("/reserved/ips", "ip_id"),
        ] {
            assert_eq!(name_after(path), name, "{path}");
        }
    }
}
