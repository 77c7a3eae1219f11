//! The operator's policy: which client may call which tool, how often, and whether the user must approve a call.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::Error;
use crate::flow::text;
use crate::mcp::tools::NAMES;

/// The only supported version of the policy format.
const VERSION: &str = "1";

/// Maximum length of a client name, in bytes. Longer names are cut before they are compared or shown.
const IDENTITY_BYTES: usize = 100;

/// A policy file. A server without one allows every call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    version: String,
    /// Action for tools without a rule.
    #[serde(default)]
    default: DefaultAction,
    #[serde(default)]
    tools: ToolRules,
    /// Rules by client name. A client chooses its name itself, so the name distinguishes clients but authenticates
    /// nobody.
    #[serde(default, deserialize_with = "identities")]
    identities: BTreeMap<String, ClientRules>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum DefaultAction {
    Allow,
    #[default]
    Deny,
}

/// Rules for one client. The general rules apply to tools that they do not mention.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientRules {
    default: Option<DefaultAction>,
    #[serde(default)]
    tools: ToolRules,
}

/// Rule for one tool. An empty rule allows every call.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolRule {
    #[serde(default)]
    pub(super) action: Action,
    /// Reason shown to the agent if the call is denied, or to the user who is asked to approve it.
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default, deserialize_with = "rate_limit")]
    pub(super) rate_limit: Option<RateLimit>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    #[default]
    Allow,
    Deny,
    RequireApproval,
}

/// Rate limit: at most `max` calls in any `window`, per session.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, try_from = "RateLimitText")]
pub(super) struct RateLimit {
    pub(super) max: usize,
    pub(super) window: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateLimitText {
    max: u32,
    window: f64,
}

impl TryFrom<RateLimitText> for RateLimit {
    type Error = &'static str;

    fn try_from(text: RateLimitText) -> Result<Self, &'static str> {
        if text.max == 0 || text.max > 100_000 {
            return Err("max must be from 1 to 100000 calls; to allow none, set action to deny");
        }
        if !(text.window > 0.0 && text.window <= 31_536_000.0) {
            return Err("window must be a number of seconds above 0, and a year at most");
        }
        Ok(Self { max: text.max as usize, window: Duration::from_secs_f64(text.window) })
    }
}

/// A map without duplicate keys. Plain deserialization would let the last duplicate win silently.
#[derive(Clone, Debug)]
struct UniqueMap<T>(BTreeMap<String, T>);

impl<T> Default for UniqueMap<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for UniqueMap<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for UniqueVisitor<T> {
            type Value = UniqueMap<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueMap<T>, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if entries.contains_key(&name) {
                        return Err(de::Error::custom(format!("{name} appears twice")));
                    }
                    entries.insert(name, map.next_value::<Object<T>>()?.0);
                }
                Ok(UniqueMap(entries))
            }
        }

        deserializer.deserialize_map(UniqueVisitor(PhantomData))
    }
}

/// A value that must be written as an object. Serde also accepts a list of the fields' values, in which a rule is
/// easily mistaken.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

fn rate_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RateLimit>, D::Error> {
    Object::<RateLimit>::deserialize(deserializer).map(|object| Some(object.0))
}

fn identities<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, ClientRules>, D::Error> {
    let named = UniqueMap::<ClientRules>::deserialize(deserializer)?.0;
    let mut compared = BTreeMap::new();
    for (name, rules) in named {
        let shown = identity(&name);
        if compared.insert(shown.clone(), rules).is_some() {
            return Err(de::Error::custom(format!(
                "two identities are both {shown} once cut to {IDENTITY_BYTES} bytes, with invisible characters escaped"
            )));
        }
    }
    Ok(compared)
}

/// Returns a client name as it is compared and shown: cut to `IDENTITY_BYTES`, invisible characters escaped.
pub(super) fn identity(name: &str) -> String {
    text::shortened(name.as_bytes(), IDENTITY_BYTES).into_owned()
}

/// Rules by tool name.
#[derive(Clone, Debug, Default)]
struct ToolRules(BTreeMap<String, ToolRule>);

impl<'de> Deserialize<'de> for ToolRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rules = UniqueMap::<ToolRule>::deserialize(deserializer)?.0;
        if let Some(unknown) = rules.keys().find(|name| !NAMES.contains(&&***name)) {
            return Err(de::Error::custom(format!(
                "there is no tool {unknown}; the tools are {}",
                NAMES.join(", ")
            )));
        }
        Ok(Self(rules))
    }
}

impl Policy {
    /// Returns a policy that allows every call.
    pub(super) fn open() -> Self {
        Self {
            version: VERSION.to_owned(),
            default: DefaultAction::Allow,
            tools: ToolRules::default(),
            identities: BTreeMap::new(),
        }
    }

    /// Reads a policy file. Anything unknown in it is an error, because an ignored rule is worse than a server that
    /// does not start.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| Error::io(&name, "read", error))?;
        Self::parse(&name, &text)
    }

    fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let refused = |why: &str| {
            let why = format!("this policy cannot be used, so the server does not start: {why}");
            Error::format(name, text::printable(why.as_bytes()))
        };
        let policy: Object<Self> =
            serde_json::from_str(text).map_err(|error| refused(&error.to_string()))?;
        if policy.0.version != VERSION {
            return Err(refused("version must be \"1\""));
        }
        Ok(policy.0)
    }

    /// Returns the client name under which a call is counted: its own for a client with rules of its own, else an empty
    /// name, which all other clients share.
    pub(super) fn counted(&self, identity: &str) -> &str {
        self.identities.get_key_value(identity).map_or("", |(name, _)| name)
    }

    /// Returns the rule that applies when a client calls a tool.
    pub(super) fn rule(&self, identity: &str, tool: &str) -> ToolRule {
        let of_default = |default| ToolRule {
            action: if default == DefaultAction::Allow { Action::Allow } else { Action::Deny },
            ..ToolRule::default()
        };
        let own = self.identities.get(identity);
        let own_rule = own.and_then(|own| own.tools.0.get(tool).cloned());
        own_rule
            .or_else(|| own.and_then(|own| own.default).map(of_default))
            .or_else(|| self.tools.0.get(tool).cloned())
            .unwrap_or_else(|| of_default(self.default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(policy: &str, identity: &str, tool: &str) -> Action {
        Policy::parse("policy.json", policy).unwrap().rule(identity, tool).action
    }

    #[test]
    fn an_empty_rule_allows_and_the_default_denies() {
        let policy = r#"{"version":"1","default":"deny","tools":{"get_api_patterns":{}}}"#;
        assert_eq!(action(policy, "", "get_api_patterns"), Action::Allow);
        assert_eq!(action(policy, "", "get_endpoint"), Action::Deny);
        assert_eq!(action(r#"{"version":"1"}"#, "", "get_endpoint"), Action::Deny);
        assert_eq!(Policy::open().rule("", "get_endpoint"), ToolRule::default());
    }

    #[test]
    fn what_is_said_of_a_client_comes_first() {
        let policy = r#"{"version":"1","default":"allow","tools":{"get_endpoint":{"action":"deny","reason":"not now"}},
            "identities":{"inspector":{"tools":{"get_endpoint":{}}},"stranger":{"default":"deny"}}}"#;
        assert_eq!(action(policy, "inspector", "get_endpoint"), Action::Allow);
        assert_eq!(action(policy, "inspector", "get_api_patterns"), Action::Allow);
        assert_eq!(action(policy, "stranger", "get_api_patterns"), Action::Deny);
        assert_eq!(action(policy, "other", "get_endpoint"), Action::Deny);
        let invisible = "{\"version\":\"1\",\"default\":\"allow\",\"identities\":{\"b\u{200b}b\":{\"default\":\"deny\"}}}";
        assert_eq!(action(invisible, &identity("b\u{200b}b"), "get_endpoint"), Action::Deny);
        let rule = Policy::parse("p", policy).unwrap().rule("other", "get_endpoint");
        assert_eq!(rule.reason.as_deref(), Some("not now"));
    }

    #[test]
    fn what_is_not_understood_stops_the_server() {
        for (policy, said) in [
            ("{", "EOF while parsing"),
            ("{}", "missing field `version`"),
            (r#"{"version":"2"}"#, "version must be"),
            (r#"["1","allow",{},{}]"#, "expected an object"),
            (r#"{"version":"1","tools":{"get_endpoint":[]}}"#, "expected an object"),
            (
                r#"{"version":"1","tools":{"get_endpoint":{"rate_limit":[1,2]}}}"#,
                "expected an object",
            ),
            (r#"{"version":"1","identities":{"a":[]}}"#, "expected an object"),
            (r#"{"version":"1","tools":{"get_flows":{}}}"#, "there is no tool get_flows"),
            (r#"{"version":"1","tool":{}}"#, "unknown field `tool`"),
            (r#"{"version":"1","default":"ask"}"#, "unknown variant `ask`"),
            (
                r#"{"version":"1","tools":{"get_endpoint":{"acton":"deny"}}}"#,
                "unknown field `acton`",
            ),
            (
                r#"{"version":"1","tools":{"get_endpoint":{},"get_endpoint":{"action":"deny"}}}"#,
                "get_endpoint appears twice",
            ),
            (
                r#"{"version":"1","tools":{"get_endpoint":{"rate_limit":{"max":0,"window":1}}}}"#,
                "max must be from 1",
            ),
            (
                r#"{"version":"1","tools":{"get_endpoint":{"rate_limit":{"max":1,"window":0}}}}"#,
                "window must be a number",
            ),
            (
                r#"{"version":"1","tools":{"get_endpoint":{"rate_limit":{"max":1,"window":1,"per":"day"}}}}"#,
                "unknown field `per`",
            ),
            (r#"{"version":"1","identities":{"a":{"tools":{"x":{}}}}}"#, "there is no tool x"),
        ] {
            let error = Policy::parse("policy.json", policy).unwrap_err().to_string();
            assert!(error.starts_with("policy.json: this policy cannot be used"), "{error}");
            assert!(error.contains(said), "{policy}: {error}");
        }
    }
}
