//! Policy files: from JSON to a policy, with all that is wrong in one go.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use regex::RegexBuilder;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::flow::text;
use crate::jsonrpc::fold_name;
use crate::jsonrpc::strict_json::{self, escaped};
use crate::policy::condition::{ArgumentPath, Condition, Operator};
use crate::policy::{
    Action, KnownTools, Limit, MAX_IDENTITY_BYTES, Policy, RuleSet, ToolRule, shown_identity,
};

/// The only version of the format.
const VERSION: &str = "1";

/// The largest number of calls of a limit, which are held in memory.
const MAX_CALLS: f64 = 100_000.0;

/// The shortest and the longest window of a limit, in seconds: a millisecond and a year.
const MIN_WINDOW: f64 = 0.001;
const MAX_WINDOW: f64 = 31_536_000.0;

/// The longest regular expression in bytes, and the memory that it may take when it is compiled.
const MAX_PATTERN_BYTES: usize = 1000;
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// The operators of conditions.
const OPERATORS: [&str; 11] =
    ["eq", "neq", "in", "not_in", "lt", "lte", "gt", "gte", "regex", "contains", "exists"];

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or if anything in it is unknown or wrong, because an ignored rule is worse than a server
    /// that does not start.
    pub(crate) fn read(path: &Path, tools: KnownTools<'_>) -> Result<Self, Error> {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| Error::io(&name, "read", error))?;
        Self::parse(&text, tools).map_err(|mut wrong| {
            let more = match wrong.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more; `policy check` lists all)"),
            };
            let first = wrong.swap_remove(0);
            let why =
                format!("this policy cannot be used, so the server does not start: {first}{more}");
            Error::format(&name, text::printable(why.as_bytes()))
        })
    }

    /// Reads the text of a policy.
    ///
    /// # Errors
    ///
    /// Fails with a sentence for each thing that is wrong, with its place.
    pub(crate) fn parse(text: &str, tools: KnownTools<'_>) -> Result<Self, Vec<String>> {
        let (file, repeated) = strict_json::parse(text).map_err(|error| vec![error.to_string()])?;
        let mut reader = FileReader { tools, wrong: Vec::new() };
        for path in repeated {
            let name = path.rsplit('/').next().unwrap_or_default();
            reader.refuse(&path, &format!("{name} appears twice"));
        }
        let policy = reader.policy(&file);
        if reader.wrong.is_empty() { Ok(policy) } else { Err(reader.wrong) }
    }
}

/// Reads a file and collects what is wrong with it.
struct FileReader<'t> {
    tools: KnownTools<'t>,
    wrong: Vec<String>,
}

impl FileReader<'_> {
    fn refuse(&mut self, at: &str, why: &str) {
        let at = if at.is_empty() { "the policy" } else { at };
        self.wrong.push(format!("{at}: {why}"));
    }

    /// The object at a place, which has no other keys than these.
    fn object<'v>(
        &mut self,
        value: &'v Value,
        at: &str,
        keys: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Some(object) = value.as_object() else {
            self.refuse(at, "expected an object");
            return None;
        };
        for key in object.keys().filter(|key| !keys.contains(&&***key)) {
            let why = format!("unknown field `{key}`; the fields are {}", keys.join(", "));
            self.refuse(at, &why);
        }
        Some(object)
    }

    fn policy(&mut self, file: &Value) -> Policy {
        let keys = ["version", "default", "hide", "all_tools", "tools", "identities"];
        let Some(object) = self.object(file, "", &keys) else { return Policy::default() };
        if object.get("version").is_none_or(|version| version != VERSION) {
            self.refuse("/version", "version must be \"1\"");
        }
        let general = self.rule_set(object, "");
        let mut identities: BTreeMap<String, RuleSet> = BTreeMap::new();
        for (name, rules, at) in self.entries(object, "", "identities") {
            let keys = ["default", "hide", "all_tools", "tools"];
            let Some(rules) = self.object(rules, &at, &keys) else { continue };
            let rules = self.rule_set(rules, &at);
            let shown = shown_identity(name);
            if identities.insert(shown.clone(), rules).is_some() {
                let why = format!(
                    "two identities are both {shown} once cut to {MAX_IDENTITY_BYTES} bytes, with invisible characters escaped"
                );
                self.refuse("/identities", &why);
            }
        }
        let mut folded_names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for rules in std::iter::once(&general).chain(identities.values()) {
            for name in rules.tools.keys().chain(&rules.hide).filter(|name| *name != "*") {
                let names = folded_names.entry(fold_name(name).into_owned()).or_default();
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        Policy { general, identities, folded_names }
    }

    /// The entries of the object under a key, each with its place.
    fn entries<'v>(
        &mut self,
        object: &'v Map<String, Value>,
        at: &str,
        key: &str,
    ) -> Vec<(&'v str, &'v Value, String)> {
        let Some(value) = object.get(key) else { return Vec::new() };
        let at = format!("{at}/{key}");
        let Some(entries) = value.as_object() else {
            self.refuse(&at, "expected an object");
            return Vec::new();
        };
        let entry = |(name, value): (&'v String, &'v Value)| {
            (&**name, value, format!("{at}/{}", escaped(name)))
        };
        entries.iter().map(entry).collect()
    }

    fn rule_set(&mut self, object: &Map<String, Value>, at: &str) -> RuleSet {
        let default = self.word(object, at, "default", &["allow", "deny"]);
        let mut rules =
            RuleSet { default: default.map(|word| word == "allow"), ..RuleSet::default() };
        for (place, name) in self.list(object, at, "hide").into_iter().enumerate() {
            let at = format!("{at}/hide/{place}");
            match name.as_str() {
                Some(name) if name == "*" || self.is_tool(&at, name) => {
                    rules.hide.push(name.to_owned());
                }
                Some(_) => {}
                None => self.refuse(&at, "must be the name of a tool, or *"),
            }
        }
        if let Some(value) = object.get("all_tools") {
            let keys = ["reason", "on_deny", "require", "deny_if", "limits"];
            rules.all_tools = self.rule(value, &format!("{at}/all_tools"), &keys);
        }
        for (name, value, at) in self.entries(object, at, "tools") {
            let keys =
                ["action", "reason", "on_deny", "require", "deny_if", "limits", "rate_limit"];
            if self.is_tool(&at, name) {
                let rule = self.rule(value, &at, &keys);
                rules.tools.insert(name.to_owned(), rule);
            }
        }
        rules
    }

    fn is_tool(&mut self, at: &str, name: &str) -> bool {
        let KnownTools::These(known) = self.tools else { return true };
        let is_known = known.contains(&name);
        if !is_known {
            let why = format!("there is no tool {name}; the tools are {}", known.join(", "));
            self.refuse(at, &why);
        }
        is_known
    }

    fn rule(&mut self, value: &Value, at: &str, keys: &[&str]) -> ToolRule {
        let Some(object) = self.object(value, at, keys) else { return ToolRule::default() };
        let action = self.word(object, at, "action", &["allow", "deny", "require_approval"]);
        let mut rule = ToolRule {
            action: match action {
                Some("deny") => Action::Deny,
                Some("require_approval") => Action::RequireApproval,
                _ => Action::Allow,
            },
            reason: self.text(object, at, "reason"),
            on_deny: self.text(object, at, "on_deny"),
            ..ToolRule::default()
        };
        for (place, value) in self.list(object, at, "require").into_iter().enumerate() {
            rule.require.extend(self.condition(value, &format!("{at}/require/{place}")));
        }
        for (place, value) in self.list(object, at, "deny_if").into_iter().enumerate() {
            rule.deny_if.push(self.conditions(value, &format!("{at}/deny_if/{place}")));
        }
        for (place, value) in self.list(object, at, "limits").into_iter().enumerate() {
            rule.limits.extend(self.limit(value, at, format!("limits/{place}"), true));
        }
        if let Some(value) = object.get("rate_limit") {
            rule.limits.extend(self.limit(value, at, "rate_limit".to_owned(), false));
        }
        rule
    }

    /// One condition, or several that hold together: `{"all": [...]}`.
    fn conditions(&mut self, value: &Value, at: &str) -> Vec<Condition> {
        if value.get("all").is_none() {
            return self.condition(value, at).into_iter().collect();
        }
        let Some(object) = self.object(value, at, &["all"]) else { return Vec::new() };
        let all = self.list(object, at, "all");
        if all.is_empty() {
            self.refuse(&format!("{at}/all"), "must have a condition");
        }
        let conditions = all.into_iter().enumerate();
        conditions.filter_map(|(i, it)| self.condition(it, &format!("{at}/all/{i}"))).collect()
    }

    fn condition(&mut self, value: &Value, at: &str) -> Option<Condition> {
        let object = self.object(value, at, &["path", "op", "value"])?;
        let path = object.get("path").and_then(Value::as_str).and_then(ArgumentPath::parse);
        if path.is_none() {
            let why =
                "must be a place in the arguments, as in args.items[0].id or args.items[*].id";
            self.refuse(&format!("{at}/path"), why);
        }
        let name = object.get("op").and_then(Value::as_str).unwrap_or_default();
        if !OPERATORS.contains(&name) {
            let why = format!("must be one of {}", OPERATORS.join(", "));
            self.refuse(&format!("{at}/op"), &why);
            return None;
        }
        let operator = operator(name, object.get("value"));
        match operator {
            Ok(operator) => Some(Condition { path: path?, operator }),
            Err(why) => {
                self.refuse(&format!("{at}/value"), &why);
                None
            }
        }
    }

    fn limit(&mut self, value: &Value, at: &str, place: String, has_sum: bool) -> Option<Limit> {
        let here = format!("{at}/{place}");
        let keys: &[&str] = if has_sum { &["max", "window", "sum"] } else { &["max", "window"] };
        let object = self.object(value, &here, keys)?;
        let sum = object.get("sum").map(|sum| sum.as_str().and_then(ArgumentPath::parse));
        if sum == Some(None) {
            self.refuse(
                &format!("{here}/sum"),
                "must be a place in the arguments, as in args.amount",
            );
        }
        let max = object.get("max").and_then(Value::as_f64).filter(|max| *max > 0.0);
        let fits = |max: &f64| sum.is_some() || (max.fract() == 0.0 && *max <= MAX_CALLS);
        let max = max.filter(fits);
        if max.is_none() {
            let why = "max must be from 1 to 100000 calls, or the largest sum; to allow none, set action to deny";
            self.refuse(&format!("{here}/max"), why);
        }
        let window = match object.get("window") {
            Some(Value::String(name)) if has_sum => match &**name {
                "minute" => Some(60.0),
                "hour" => Some(3_600.0),
                "day" => Some(86_400.0),
                _ => None,
            },
            window => window.and_then(Value::as_f64),
        };
        let window = window.filter(|seconds| (MIN_WINDOW..=MAX_WINDOW).contains(seconds));
        if window.is_none() {
            let why = "window must be a number of seconds from 0.001, and a year at most (in limits also minute, hour or day)";
            self.refuse(&format!("{here}/window"), why);
        }
        Some(Limit {
            max: max?,
            window: Duration::from_secs_f64(window?),
            sum: sum.flatten(),
            place,
        })
    }

    fn list<'v>(&mut self, object: &'v Map<String, Value>, at: &str, key: &str) -> Vec<&'v Value> {
        match object.get(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.iter().collect(),
            Some(_) => {
                self.refuse(&format!("{at}/{key}"), "must be a list");
                Vec::new()
            }
        }
    }

    fn text(&mut self, object: &Map<String, Value>, at: &str, key: &str) -> Option<String> {
        let value = object.get(key)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.refuse(&format!("{at}/{key}"), "must be a text");
        }
        text
    }

    /// One of these words.
    fn word<'v>(
        &mut self,
        object: &'v Map<String, Value>,
        at: &str,
        key: &str,
        words: &[&str],
    ) -> Option<&'v str> {
        let value = object.get(key)?;
        let word = value.as_str().filter(|word| words.contains(word));
        if word.is_none() {
            let found = value.as_str().unwrap_or("that");
            let why = format!("unknown variant `{found}`; it must be {}", words.join(" or "));
            self.refuse(&format!("{at}/{key}"), &why);
        }
        word
    }
}

/// An operator with the value that it compares with.
fn operator(name: &str, value: Option<&Value>) -> Result<Operator, String> {
    let of_exists = name == "exists";
    let Some(value) = value.or(of_exists.then_some(&Value::Bool(true))) else {
        return Err(format!("{name} needs a value"));
    };
    let number = || match value {
        Value::Number(number) => Ok(number.clone()),
        _ => Err(format!("{name} compares with a number")),
    };
    let list = || {
        let items = value.as_array().filter(|items| !items.is_empty());
        items.cloned().ok_or_else(|| format!("{name} needs a list of values"))
    };
    Ok(match name {
        "eq" => Operator::Eq(value.clone()),
        "neq" => Operator::Neq(value.clone()),
        "in" => Operator::In(list()?),
        "not_in" => Operator::NotIn(list()?),
        "lt" => Operator::Lt(number()?),
        "lte" => Operator::Lte(number()?),
        "gt" => Operator::Gt(number()?),
        "gte" => Operator::Gte(number()?),
        "contains" => Operator::Contains(value.clone()),
        "exists" => Operator::Exists(value.as_bool().ok_or("exists needs true or false")?),
        _ => {
            let pattern = value.as_str().filter(|pattern| pattern.len() <= MAX_PATTERN_BYTES);
            let pattern =
                pattern.ok_or("regex needs a regular expression of 1000 bytes at most")?;
            let compiled = RegexBuilder::new(pattern).size_limit(MAX_COMPILED_BYTES).build();
            Operator::Regex(compiled.map_err(|error| {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("this regular expression cannot be used: {reason}")
            })?)
        }
    })
}
