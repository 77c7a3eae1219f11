//! What a tool does and how much harm it can do, by its annotations and else by its name, description and schema.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

/// What a tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ToolKind {
    /// Looks at something.
    Read,
    /// Changes something.
    Write,
    /// Reaches other machines.
    Network,
    /// Runs or ends something.
    Execute,
}

/// How much harm a tool can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ToolRisk {
    Low,
    Medium,
    High,
}

/// A judgement about a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolJudgement {
    pub(crate) kind: ToolKind,
    pub(crate) risk: ToolRisk,
    /// Whether it is a guess, and not what the server says.
    pub(crate) is_guess: bool,
    /// The basis of the judgement, as text for people.
    pub(crate) because: String,
}

impl ToolKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Network => "network",
            Self::Execute => "execute",
        }
    }
}

impl ToolRisk {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The words by which tools are judged, by class.
fn words_of_class(class: &str) -> &'static [&'static str] {
    static CLASSES: OnceLock<BTreeMap<&str, Vec<&str>>> = OnceLock::new();
    let classes = CLASSES.get_or_init(|| {
        let mut classes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let lines = include_str!("verbs.txt").lines().filter(|line| !line.starts_with('#'));
        for (class, words) in lines.filter_map(|line| line.split_once(": ")) {
            classes.entry(class).or_default().extend(words.split_ascii_whitespace());
        }
        classes
    });
    classes.get(class).map_or(&[], |words| words)
}

fn is_of(class: &str, word: &str) -> bool {
    words_of_class(class).contains(&word)
}

/// Judges a tool as `tools/list` gives it.
pub(crate) fn judge(tool: &Value) -> ToolJudgement {
    let name = tool["name"].as_str().unwrap_or_default();
    let description = tool["description"].as_str().unwrap_or_default();
    let guess = guessed(name, description, &tool["inputSchema"]);
    let hint = |key: &str| tool["annotations"][key].as_bool();
    let said = |kind, risk, hint: &str| ToolJudgement {
        kind,
        risk,
        is_guess: false,
        because: format!("the server says {hint}"),
    };
    match (hint("readOnlyHint"), hint("destructiveHint")) {
        // A hint that the name contradicts is not believed.
        (Some(true), _) if guess.risk < ToolRisk::High => {
            said(ToolKind::Read, ToolRisk::Low, "readOnlyHint: true")
        }
        (Some(true), _) => ToolJudgement {
            because: format!("{}, though the server says readOnlyHint: true", guess.because),
            ..guess
        },
        (Some(false), Some(true)) => {
            said(guess.kind.max(ToolKind::Write), ToolRisk::High, "destructiveHint: true")
        }
        (Some(false), Some(false)) => {
            let risk = if guess.risk == ToolRisk::High { ToolRisk::High } else { ToolRisk::Medium };
            said(guess.kind.max(ToolKind::Write), risk, "destructiveHint: false")
        }
        (Some(false), None) => {
            let risk = guess.risk.max(ToolRisk::Medium);
            said(guess.kind.max(ToolKind::Write), risk, "readOnlyHint: false")
        }
        (None, _) => guess,
    }
}

fn guessed(name: &str, description: &str, schema: &Value) -> ToolJudgement {
    let words = words_of(name);
    let first_sentence = description.split(['\n', '.']).map(str::trim).find(|it| !it.is_empty());
    let sentence: Vec<String> = first_sentence.map(words_of).unwrap_or_default();
    let arguments = schema["properties"].as_object();
    let runs = arguments.is_some_and(|all| all.keys().any(|it| is_of("code-argument", it)));
    // A name begins with its verb, or, as in user_delete, ends with it.
    let named = words.first().and_then(|word| Some((word, kind_of(word)?)));
    let plain = words.iter().skip(1).find(|word| is_of("plain", word));
    let plain = plain.and_then(|word| Some((word, kind_of(word)?)));
    let last = words.last().and_then(|word| Some((word, kind_of(word)?)));
    let described = sentence.iter().take(3).find_map(|word| Some((word, kind_of(word)?)));
    // "... and store it as ..." does more than the name says.
    let also = sentence.windows(2).find_map(|pair| {
        let does = pair[0] == "and" || pair[0] == "then" || pair[0] == "to";
        let kind =
            kind_of(&pair[1]).filter(|kind| does && *kind != ToolKind::Read && pair[0] != "to")?;
        Some((&pair[1], kind))
    });
    let stronger =
        |one: Option<(&String, ToolKind)>, other: Option<(&String, ToolKind)>| match (one, other) {
            (Some(one), Some(other)) if other.1 > one.1 => Some((other.0.clone(), other.1)),
            (Some(one), _) => Some((one.0.clone(), one.1)),
            (None, Some(other)) => Some((other.0.clone(), other.1)),
            (None, None) => None,
        };
    let of_name = stronger(named, plain).or(last.map(|(word, kind)| (word.clone(), kind)));
    let of_description = stronger(described, also);
    let (word, kind, because) = match (of_name, of_description) {
        // A description that changes something tells more than a name that reads.
        (Some((_, ToolKind::Read)), Some((word, kind))) if kind == ToolKind::Write => {
            let because = format!("its description says {word}");
            (word, kind, because)
        }
        (Some((word, kind)), _) => {
            let because = format!("its name says {word}");
            (word, kind, because)
        }
        (None, Some((word, kind))) => {
            let because = format!("its description says {word}");
            (word, kind, because)
        }
        // What cannot be judged may do anything.
        (None, None) => (
            String::new(),
            ToolKind::Execute,
            "neither its name nor its description says what it does".to_owned(),
        ),
    };
    let has_address =
        arguments.is_some_and(|all| all.keys().any(|it| is_of("address-argument", it)));
    let (kind, because) = if kind == ToolKind::Read && has_address && is_of("fetching", &word) {
        (ToolKind::Network, format!("{because}, and it takes an address"))
    } else {
        (kind, because)
    };
    let (kind, because) = if runs && kind != ToolKind::Execute {
        (ToolKind::Execute, "it takes a command".to_owned())
    } else {
        (kind, because)
    };
    let is_harmful = is_of("harmful", &word) || runs || word.is_empty();
    let risk = match kind {
        ToolKind::Read => ToolRisk::Low,
        _ if is_harmful => ToolRisk::High,
        _ => ToolRisk::Medium,
    };
    ToolJudgement { kind, risk, is_guess: true, because }
}

fn kind_of(word: &str) -> Option<ToolKind> {
    let kinds = [ToolKind::Execute, ToolKind::Network, ToolKind::Write, ToolKind::Read];
    kinds.into_iter().find(|kind| is_of(kind.name(), word))
}

/// The words of a name or a sentence, small, verbs without the s of the third person.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_small = false;
    for c in text.chars() {
        let is_new = (c.is_uppercase() && was_small) || words.is_empty();
        was_small = c.is_lowercase() || c.is_numeric();
        if is_new || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    for word in &mut words {
        let base = word.strip_suffix("es").or_else(|| word.strip_suffix('s'));
        let bases = [word.strip_suffix('s'), base];
        let known = bases
            .into_iter()
            .flatten()
            .find(|base| kind_of(word).is_none() && kind_of(base).is_some());
        if let Some(known) = known.map(str::to_owned) {
            *word = known;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(name: &str, description: &str) -> (&'static str, &'static str) {
        let judgement = judge(&json!({"name": name, "description": description}));
        (judgement.kind.name(), judgement.risk.name())
    }

    #[test]
    fn tools_are_judged_by_what_their_names_say() {
        for (name, judged) in [
            ("get_api_patterns", ("read", "low")),
            ("listRuns", ("read", "low")),
            ("user_delete", ("write", "high")),
            ("createIssue", ("write", "medium")),
            ("search_and_replace", ("write", "medium")),
            ("run_command", ("execute", "medium")),
            ("bash", ("execute", "high")),
            ("send_message", ("network", "medium")),
            ("browser_click", ("write", "medium")),
            ("frobnicate", ("execute", "high")),
        ] {
            assert_eq!(of(name, ""), judged, "{name}");
        }
        assert_eq!(
            of("extract_variable", "Extract a value and store it as a variable."),
            ("write", "medium")
        );
        assert_eq!(of("frobnicate", "Lists the frobs."), ("read", "low"));
    }

    #[test]
    fn what_the_server_says_goes_first_unless_the_name_contradicts_it() {
        let judged = |name: &str, annotations: Value| {
            judge(&json!({"name": name, "annotations": annotations}))
        };
        let read = judged("frob", json!({"readOnlyHint": false, "destructiveHint": false}));
        assert_eq!((read.kind, read.is_guess), (ToolKind::Execute, false));
        assert_eq!(judged("run_report", json!({"readOnlyHint": true})).kind, ToolKind::Read);
        assert_eq!(judged("delete_all", json!({"readOnlyHint": true})).risk, ToolRisk::High);
        assert_eq!(
            judged("add", json!({"readOnlyHint": false, "destructiveHint": true})).risk,
            ToolRisk::High
        );
        let schema = json!({"name": "helper", "inputSchema": {"properties": {"command": {"type": "string"}}}});
        assert_eq!(judge(&schema).kind, ToolKind::Execute);
        let fetch =
            json!({"name": "fetch", "inputSchema": {"properties": {"url": {"type": "string"}}}});
        assert_eq!(judge(&fetch).kind, ToolKind::Network);
    }
}
