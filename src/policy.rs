//! The operator's policy: which client may call which tool, with which arguments, how often, and whether the user must approve.
//!
//! A policy is a JSON file. [`Policy::parse`] reads it, and says all that is wrong with it; [`Policy::decide`] is a pure function of
//! a call; a [`Ledger`](ledger::Ledger) counts the calls that limits are about.
//!
//! # Order of evaluation
//!
//! 0. A name that is not in the file, but equals one of it apart from case, width or invisible characters, is
//!    refused.
//! 1. `hide`, of the client and then of all: the tool is not there.
//! 2. The rule of the tool: the client's own, else the client's default, else the tool's, else the default. Its action may deny.
//! 3. Conditions: `require` of the rule, all of which must hold, then its `deny_if`, none of which may; then both of the client's
//!    `all_tools` and of `all_tools`. The first that refuses decides.
//! 4. Limits, in the same order: all must have room.
//! 5. The approval of the user.
//!
//! What cannot be judged is refused.

mod condition;
pub(crate) mod draft;
mod file;
pub(crate) mod ledger;
pub(crate) mod risk;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::flow::text;
use crate::jsonrpc::fold_name;
use crate::jsonrpc::strict_json::escaped;
use crate::policy::condition::{Condition, Found};

/// Maximum length of a client name, in bytes. Longer names are cut before they are compared or shown.
const MAX_IDENTITY_BYTES: usize = 100;

/// The tools that a policy file may name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KnownTools<'t> {
    /// The tools that there are. Rules for others are errors.
    These(&'t [&'t str]),
    /// Tools of any server.
    Any,
}

/// The rules of an operator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    general: RuleSet,
    /// Rules by the name of the client: its grant in the gateway, and in `mcp` the name that it gives itself, which authenticates
    /// nobody.
    identities: BTreeMap<String, RuleSet>,
    /// The tool names in the file, by their form with case and width folded.
    folded_names: BTreeMap<String, Vec<String>>,
}

/// The rules for all clients, or for one.
#[derive(Clone, Debug, Default)]
struct RuleSet {
    /// `None` for a client for which the general rules hold; denies for all.
    default: Option<bool>,
    /// Names of tools; `*` is all.
    hide: Vec<String>,
    all_tools: ToolRule,
    tools: BTreeMap<String, ToolRule>,
}

/// The rule for one tool. An empty rule allows every call.
#[derive(Clone, Debug, Default)]
struct ToolRule {
    action: Action,
    /// Told to the agent when a call is refused, and to the user who is asked.
    reason: Option<String>,
    /// Told to the agent in place of the reason when a call is refused.
    on_deny: Option<String>,
    require: Vec<Condition>,
    /// Each entry denies if all of its conditions hold.
    deny_if: Vec<Vec<Condition>>,
    limits: Vec<Limit>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Action {
    #[default]
    Allow,
    Deny,
    RequireApproval,
}

/// A bound on the calls, or on the sum of an argument, in any window of time.
#[derive(Clone, Debug)]
struct Limit {
    max: f64,
    window: Duration,
    /// The argument that is added up; `None` to count calls.
    sum: Option<condition::ArgumentPath>,
    /// Where it stands in its rule: `limits/0` or `rate_limit`.
    place: String,
}

/// The decision of a policy about a call, before its limits are checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PolicyDecision {
    pub(crate) verdict: Verdict,
    /// The rule that decided, as a JSON Pointer into the file (RFC 6901): `/tools/replay_flow/deny_if/0`.
    pub(crate) rule: String,
    /// What the operator says: to the agent about a call that is refused, to the user about one to approve.
    pub(crate) message: Option<String>,
    /// Whether the arguments were refused, and other ones might not be.
    is_about_arguments: bool,
    /// The limits that the call counts for, if it is not refused.
    pub(crate) limits: Vec<LimitUse>,
}

/// The answer of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The call may be made.
    Allow,
    /// The user must approve it first.
    Ask,
    /// The call is refused.
    Deny,
    /// The call is refused as one of a tool that is not there.
    Hidden,
}

impl Verdict {
    /// The word for it in pages and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
            Self::Hidden => "hide",
        }
    }
}

impl PolicyDecision {
    /// What the agent is told about a call that is refused.
    pub(crate) fn refusal(&self) -> String {
        match (&self.message, self.is_about_arguments) {
            (Some(message), _) => message.clone(),
            (None, true) => format!(
                "The operator's policy does not allow this tool with these arguments (rule {}).",
                self.rule
            ),
            (None, false) => "The operator's policy does not allow this tool.".to_owned(),
        }
    }
}

/// The amount that a call takes of a limit, with the counter that it is added to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LimitUse {
    /// The limit, as a JSON Pointer into the file.
    pub(crate) rule: String,
    /// Which calls are counted together: those of the client, if it has rules of its own, and of the tool, if the limit is of one;
    /// a limit for all tools and clients counts all. Limits of several windows have one counter.
    pub(crate) counter: String,
    pub(crate) max: f64,
    pub(crate) window: Duration,
    pub(crate) amount: f64,
    /// Whether calls are counted, and not an argument.
    pub(crate) counts_calls: bool,
    /// Whether it is of one tool, and not of all together.
    pub(crate) is_of_tool: bool,
}

/// A client name as it is compared and shown: cut, invisible characters escaped.
pub(crate) fn shown_identity(name: &str) -> String {
    text::shortened(name.as_bytes(), MAX_IDENTITY_BYTES).into_owned()
}

impl Policy {
    /// A policy that allows every call.
    pub(crate) fn allow_all() -> Self {
        let general = RuleSet { default: Some(true), ..RuleSet::default() };
        Self { general, ..Self::default() }
    }

    /// The rule for a tool with its place in the file: the client's own, else the client's default, else the tool's, else the
    /// default.
    fn rule(&self, identity: &str, tool: &str) -> (RuleOf<'_>, String) {
        let own = self.identities.get(identity);
        let of_identity = |rest: &str| format!("/identities/{}{rest}", escaped(identity));
        let of_tool = format!("/tools/{}", escaped(tool));
        if let Some(rule) = own.and_then(|own| own.tools.get(tool)) {
            return (RuleOf::Tool(rule), of_identity(&of_tool));
        }
        if let Some(default) = own.and_then(|own| own.default) {
            return (RuleOf::Default(default), of_identity("/default"));
        }
        match self.general.tools.get(tool) {
            Some(rule) => (RuleOf::Tool(rule), of_tool),
            None => (RuleOf::Default(self.general.default == Some(true)), "/default".to_owned()),
        }
    }

    /// True if a tool is listed for a client: it is not hidden, and a call of it may be allowed.
    pub(crate) fn lists(&self, identity: &str, tool: &str) -> bool {
        self.hiding_entry(identity, tool).is_none()
            && self.name_of_variant(tool).is_none()
            && match self.rule(identity, tool).0 {
                RuleOf::Tool(rule) => rule.action != Action::Deny,
                RuleOf::Default(allows) => allows,
            }
    }

    /// The name in the file that `tool` imitates: it differs only in case, in width, or in invisible characters.
    /// `None` if the file has `tool` itself, or no such name.
    fn name_of_variant(&self, tool: &str) -> Option<&str> {
        let names = self.folded_names.get(&*fold_name(tool))?;
        if names.iter().any(|name| name == tool) { None } else { names.first().map(|it| &**it) }
    }

    /// The entry of `hide` that hides a tool.
    fn hiding_entry(&self, identity: &str, tool: &str) -> Option<String> {
        let entry =
            |rules: &RuleSet| rules.hide.iter().position(|name| name == tool || name == "*");
        if let Some(at) = self.identities.get(identity).and_then(entry) {
            return Some(format!("/identities/{}/hide/{at}", escaped(identity)));
        }
        entry(&self.general).map(|at| format!("/hide/{at}"))
    }

    /// What the operator says to the user about a tool.
    pub(crate) fn reason(&self, identity: &str, tool: &str) -> Option<&str> {
        match self.rule(identity, tool).0 {
            RuleOf::Tool(rule) => rule.reason.as_deref(),
            RuleOf::Default(_) => None,
        }
    }

    /// The rules whose conditions and limits hold for a call, in the order in which they are looked at.
    fn scopes<'p>(
        &'p self,
        rule: &'p ToolRule,
        place: &str,
        identity: &'p str,
        tool: &'p str,
    ) -> Vec<RuleScope<'p>> {
        let own = self.identities.get(identity);
        // What a limit of a scope counts together: calls of this client, and of this tool.
        let client = if own.is_some() { identity } else { "" };
        let mut scopes = vec![RuleScope { rule, place: place.to_owned(), client, tool }];
        scopes.extend(own.map(|own| {
            let place = format!("/identities/{}/all_tools", escaped(identity));
            RuleScope { rule: &own.all_tools, place, client, tool: "" }
        }));
        let place = "/all_tools".to_owned();
        scopes.push(RuleScope { rule: &self.general.all_tools, place, client: "", tool: "" });
        scopes
    }

    /// The decision about a tool whatever its arguments are. Nothing is counted against its limits.
    pub(crate) fn decide_without_arguments(&self, identity: &str, tool: &str) -> PolicyDecision {
        let (of, place) = self.rule(identity, tool);
        let empty = ToolRule::default();
        let (rule, action) = match of {
            RuleOf::Default(allows) => (&empty, if allows { Action::Allow } else { Action::Deny }),
            RuleOf::Tool(rule) => (rule, rule.action),
        };
        let (verdict, place) =
            match (self.hiding_entry(identity, tool), self.name_of_variant(tool), action) {
                (Some(hidden), _, _) => (Verdict::Hidden, hidden),
                (_, Some(name), _) => (Verdict::Deny, self.rule(identity, name).1),
                (_, _, Action::Deny) if matches!(of, RuleOf::Default(_)) => (Verdict::Deny, place),
                (_, _, Action::Deny) => (Verdict::Deny, format!("{place}/action")),
                (_, _, Action::RequireApproval) => (Verdict::Ask, format!("{place}/action")),
                (_, _, Action::Allow) => (Verdict::Allow, place),
            };
        let scopes = self.scopes(rule, &place, identity, tool);
        let is_refused = matches!(verdict, Verdict::Hidden | Verdict::Deny);
        let limits = scopes
            .iter()
            .filter(|_| !is_refused)
            .flat_map(|scope| scope.rule.limits.iter().map(|limit| scope.limit_use(limit, 0.0)));
        let limits = limits.collect();
        PolicyDecision { verdict, rule: place, message: None, is_about_arguments: false, limits }
    }

    /// The names of the clients that have rules of their own.
    pub(crate) fn identity_names(&self) -> impl Iterator<Item = &str> {
        self.identities.keys().map(|name| &**name)
    }

    /// True if what the policy says of a tool depends on the arguments.
    pub(crate) fn has_conditions(&self, identity: &str, tool: &str) -> bool {
        let (of, place) = self.rule(identity, tool);
        let empty = ToolRule::default();
        let rule = if let RuleOf::Tool(rule) = of { rule } else { &empty };
        let mut scopes = self.scopes(rule, &place, identity, tool).into_iter();
        scopes.any(|scope| !scope.rule.require.is_empty() || !scope.rule.deny_if.is_empty())
    }

    /// Decides about a call with its arguments, a JSON object. Pure: equal calls are decided equally.
    pub(crate) fn decide(&self, identity: &str, tool: &str, arguments: &Value) -> PolicyDecision {
        let refused = |verdict, rule, message| PolicyDecision {
            verdict,
            rule,
            message,
            is_about_arguments: false,
            limits: Vec::new(),
        };
        if let Some(rule) = self.hiding_entry(identity, tool) {
            return refused(Verdict::Hidden, rule, None);
        }
        if let Some(name) = self.name_of_variant(tool) {
            let message = "This name is written like that of another tool.".to_owned();
            return refused(Verdict::Deny, self.rule(identity, name).1, Some(message));
        }
        let (of, place) = self.rule(identity, tool);
        let empty = ToolRule::default();
        let rule = match of {
            RuleOf::Default(false) => return refused(Verdict::Deny, place, None),
            RuleOf::Default(true) => &empty,
            RuleOf::Tool(rule) => rule,
        };
        let said = |rule: &ToolRule| rule.on_deny.as_ref().or(rule.reason.as_ref()).cloned();
        if rule.action == Action::Deny {
            return refused(Verdict::Deny, format!("{place}/action"), said(rule));
        }
        let scopes = self.scopes(rule, &place, identity, tool);
        let refused_arguments = |scope: &ToolRule, rule| PolicyDecision {
            is_about_arguments: true,
            ..refused(Verdict::Deny, rule, said(scope))
        };
        for scope in &scopes {
            if let Some(condition) = scope.rule.refusing(arguments) {
                return refused_arguments(scope.rule, format!("{}/{condition}", scope.place));
            }
        }
        let mut limits = Vec::new();
        for scope in &scopes {
            for limit in &scope.rule.limits {
                let Some(amount) = limit.amount(arguments) else {
                    let rule = format!("{}/{}", scope.place, limit.place);
                    return refused_arguments(scope.rule, rule);
                };
                limits.push(scope.limit_use(limit, amount));
            }
        }
        let asks = rule.action == Action::RequireApproval;
        let (verdict, message) =
            if asks { (Verdict::Ask, rule.reason.clone()) } else { (Verdict::Allow, None) };
        let rule = if asks { format!("{place}/action") } else { place };
        PolicyDecision { limits, ..refused(verdict, rule, message) }
    }
}

/// A rule with its place, and what its limits count together.
struct RuleScope<'p> {
    rule: &'p ToolRule,
    place: String,
    /// The client whose calls are counted; empty for those of all.
    client: &'p str,
    /// The tool whose calls are counted; empty for those of all.
    tool: &'p str,
}

impl RuleScope<'_> {
    fn limit_use(&self, limit: &Limit, amount: f64) -> LimitUse {
        let Self { place, client, tool, .. } = self;
        let sum = limit.sum.as_ref().map_or("", |sum| &*sum.text);
        LimitUse {
            counter: format!("{place}\n{client}\n{tool}\n{sum}"),
            rule: format!("{place}/{}", limit.place),
            max: limit.max,
            window: limit.window,
            amount,
            counts_calls: limit.sum.is_none(),
            is_of_tool: !tool.is_empty(),
        }
    }
}

/// The rule that applies to a tool.
enum RuleOf<'p> {
    Tool(&'p ToolRule),
    /// A default, which allows or not.
    Default(bool),
}

impl ToolRule {
    /// The place of the first condition that refuses these arguments.
    fn refusing(&self, arguments: &Value) -> Option<String> {
        if let Some(at) = self.require.iter().position(|condition| !condition.holds(arguments)) {
            return Some(format!("require/{at}"));
        }
        // What cannot be judged might hold.
        let may_hold = |condition: &Condition| condition.may_hold(arguments);
        let denies = |all: &Vec<Condition>| all.iter().all(may_hold);
        self.deny_if.iter().position(denies).map(|at| format!("deny_if/{at}"))
    }
}

impl Limit {
    /// The amount that a call uses of the limit; `None` if the argument is not a number from 0 on.
    fn amount(&self, arguments: &Value) -> Option<f64> {
        let Some(path) = &self.sum else { return Some(1.0) };
        let values = path.select(arguments);
        let amounts = values.into_iter().map(|it| match it {
            Found::Value(value) => value.as_f64().filter(|amount| *amount >= 0.0),
            Found::Absent | Found::WrongKind => None,
        });
        amounts.sum()
    }
}

#[cfg(test)]
mod tests;
