//! Slots of one place that are one parameter: values with and without a sigil, and values with colons
//! of their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::template::decide::OpenVariable;
use crate::template::model_rules::ModelRule;
use crate::template::node_group::NodeGroup;
use crate::template::segment::{Segment, SegmentKind, is_script_extension};
use crate::template::variable::VariableKey;
use crate::template::vocabulary::Vocabulary;
use crate::template::{Part, Template};

/// Minimum number of endings behind one name for them to be values of a namespace:
/// `org.couchdb.user:alice`.
const MIN_VALUES_OF_NAMESPACE: usize = 3;

/// Moves variables into the plain one of their place if their slots are part of the values.
pub(super) fn merge<T>(
    variables: &mut BTreeMap<VariableKey, OpenVariable<'_, T>>,
    template: &Template,
) {
    let plain = VariableKey::plain();
    let has_verbs = have_custom_methods(variables);
    let has_files = ModelRule::FileNames.is_on() && have_file_names(variables, &plain);
    let moved: Vec<VariableKey> = variables
        .keys()
        .filter(|key| !key.rest && !key.pinned && key.beside.is_none())
        .filter(|key| {
            let is_sigil = matches!(&*key.slot, [b'@' | b'~', 0]);
            (is_sigil && variables.contains_key(&plain) && is_in_collection(template))
                || (!has_verbs && is_verb(key))
                || (has_files && extension_of(key).is_some())
        })
        .cloned()
        .collect();
    for key in moved {
        let Some((variable, below)) = variables.remove(&key) else { continue };
        let into = variables.entry(plain.clone()).or_default();
        into.0.absorb(variable);
        into.1.extend(below);
    }
}

/// Minimum number of file extensions at one place for them to be part of names of files, and where
/// names were not kept.
const MIN_EXTENSIONS: usize = 3;
const MIN_EXTENSIONS_OF_UNKNOWN: usize = 4;

/// The extension behind values: `pdf` in `{id}.pdf`.
fn extension_of(key: &VariableKey) -> Option<&[u8]> {
    key.slot.strip_prefix(b"\0.")
}

/// Returns `true` where values are names of files, of which each has its own extension: `/uploads/a1.pdf`,
/// `/uploads/b2.jpg`. One value with several extensions is a thing in several formats.
fn have_file_names<T>(
    variables: &BTreeMap<VariableKey, OpenVariable<'_, T>>,
    plain: &VariableKey,
) -> bool {
    let files =
        || variables.iter().filter(|(key, _)| extension_of(key).is_some() && key.beside.is_none());
    let is_script = |key: &VariableKey| extension_of(key).is_some_and(is_script_extension);
    let all_known = files().all(|(_, (variable, _))| variable.all_texts_known());
    let least = if all_known { MIN_EXTENSIONS } else { MIN_EXTENSIONS_OF_UNKNOWN };
    let are_ids = |kind: &SegmentKind| kind.is_integer() || *kind == SegmentKind::Uuid;
    let has_ids = variables
        .get(plain)
        .is_some_and(|(variable, _)| variable.naming_kinds().keys().all(are_ids));
    // Beside `{name}.jar`, a `{name}.jar.sha1` is made of it.
    let is_derived = |key: &VariableKey| {
        files().any(|(other, _)| {
            key.slot.strip_prefix(&*other.slot).is_some_and(|rest| rest.starts_with(b"."))
        })
    };
    if files().count() < least
        || has_ids
        || files().any(|(key, _)| is_script(key) || is_derived(key))
    {
        return false;
    }
    let stems: Vec<&[u8]> = files()
        .flat_map(|(key, (variable, _))| {
            variable.texts.iter().map(|text| &text[..text.len() - (key.slot.len() - 1)])
        })
        .collect();
    let distinct: BTreeSet<&[u8]> = stems.iter().copied().collect();
    // Below other values a name may come again with another extension.
    distinct.len() * 10 >= stems.len() * 9
}

/// Returns `true` behind a name, as in `/users/{user_id}`: there `@me` and `7` are values of one
/// parameter, while `/@{username}` and `/{slug}` are pages of two kinds.
fn is_in_collection(template: &Template) -> bool {
    let parent = template.parts.last();
    matches!(parent, Some(Part::Literal { text, .. }) if Segment::parse(text).kind != SegmentKind::Version)
}

/// Returns `true` for the slot of a custom method: `{id}:cancel`.
fn is_verb(key: &VariableKey) -> bool {
    key.slot.starts_with(b"\0:")
}

/// Returns `true` if words after a colon are custom methods (AIP-136), which end their path and of
/// which each is one of a few for many values. Otherwise they are part of the values: the tags of
/// `/images/debian:stable/json`, or the names of `/users/org.couchdb.user:alice`.
fn have_custom_methods<T>(variables: &BTreeMap<VariableKey, OpenVariable<'_, T>>) -> bool {
    let verbs = || variables.iter().filter(|(key, _)| is_verb(key) && key.beside.is_none());
    let goes_on = |below: &NodeGroup<'_, T>| {
        below.answered.iter().any(|node| !node.literals.is_empty() || !node.values.is_empty())
    };
    if verbs().any(|(_, (_, below))| goes_on(below)) {
        return false;
    }
    let mut names = BTreeSet::new();
    let mut endings = 0;
    for (key, (variable, _)) in verbs() {
        let is_known = Vocabulary::shipped().knows(&key.slot[2..]);
        if is_known || !variable.all_texts_known() {
            return true;
        }
        endings += 1;
        let of_text = |text: &&'_ [u8]| text.len() - (key.slot.len() - 1);
        names.extend(variable.texts.iter().map(|text| &text[..of_text(text)]));
    }
    endings < MIN_VALUES_OF_NAMESPACE || names.len() > 1
}
