//! A place in the files of a description.

use std::sync::Arc;

use serde_json::Value;

use crate::description::files::{DescriptionFiles, decoded};

/// References that may lead to each other before a value is reached.
const MAX_REFERENCES: usize = 32;

/// A place in a description: the index of its file, and a JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DescriptionPlace {
    pub(crate) file: usize,
    pub(crate) pointer: Arc<str>,
}

/// A value in a description together with its place.
#[derive(Clone, Debug)]
pub(crate) struct DescriptionCursor<'d> {
    files: &'d DescriptionFiles,
    file: usize,
    pointer: Arc<str>,
    pub(crate) value: &'d Value,
}

impl<'d> DescriptionCursor<'d> {
    /// The whole first file.
    pub(super) fn root(files: &'d DescriptionFiles) -> Self {
        Self { files, file: 0, pointer: "".into(), value: &files.files[0].value }
    }

    /// The place of the value.
    pub(crate) fn place(&self) -> DescriptionPlace {
        DescriptionPlace { file: self.file, pointer: Arc::clone(&self.pointer) }
    }

    fn below(&self, step: &str, value: &'d Value) -> Self {
        let mut pointer = String::with_capacity(self.pointer.len() + step.len() + 1);
        pointer.push_str(&self.pointer);
        pointer.push('/');
        for letter in step.chars() {
            match letter {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                _ => pointer.push(letter),
            }
        }
        Self { files: self.files, file: self.file, pointer: pointer.into(), value }
    }

    /// The member of an object with this name, as it is written.
    pub(crate) fn get(&self, name: &str) -> Option<Self> {
        Some(self.below(name, self.value.as_object()?.get(name)?))
    }

    /// The member with this name, behind its references.
    pub(crate) fn follow(&self, name: &str) -> Option<Self> {
        self.get(name)?.resolved()
    }

    /// The text of a member.
    pub(crate) fn text(&self, name: &str) -> Option<&'d str> {
        self.value.as_object()?.get(name)?.as_str()
    }

    /// True if a member is `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.value.get(name) == Some(&Value::Bool(true))
    }

    /// The members of an object, in order; none of anything else.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'d str, Self)> {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(name, value)| (&**name, self.below(name, value)))
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> impl Iterator<Item = Self> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(|(index, value)| self.below(&index.to_string(), value))
    }

    /// The value behind `$ref`; `None` if it leads nowhere or in a circle.
    pub(crate) fn resolved(mut self) -> Option<Self> {
        for _ in 0..MAX_REFERENCES {
            match self.text("$ref") {
                Some(target) => self = self.target(target)?,
                None => return Some(self),
            }
        }
        None
    }

    /// The value that a reference leads to.
    pub(crate) fn target(&self, reference: &str) -> Option<Self> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let file = self.files.index_of(self.file, file)?;
        let mut found = Self {
            files: self.files,
            file,
            pointer: "".into(),
            value: &self.files.files[file].value,
        };
        let fragment = decoded(fragment);
        if fragment.is_empty() {
            return Some(found);
        }
        for step in fragment.strip_prefix('/')?.split('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            let value = match found.value {
                Value::Object(members) => members.get(&step)?,
                Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
            found = found.below(&step, value);
        }
        Some(found)
    }
}
