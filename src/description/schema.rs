//! Schemas of a description, compiled: each place once, references as indices, so that cycles need no care.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::description::cursor::DescriptionPlace;
use crate::description::format::CheckedFormat;
use crate::description::pattern::PatternRule;

/// The index of a compiled schema in its [`SchemaSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SchemaId(pub(crate) u32);

/// All schemas of a description.
#[derive(Debug, Default)]
pub(crate) struct SchemaSet {
    pub(super) schemas: Vec<CompiledSchema>,
    pub(super) places: Vec<DescriptionPlace>,
}

/// A set of the kinds that JSON values have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KindSet(u8);

impl KindSet {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(2);
    /// Whole numbers.
    pub(crate) const INTEGER: Self = Self(4);
    /// Numbers that are not whole.
    pub(crate) const FRACTION: Self = Self(8);
    pub(crate) const STRING: Self = Self(16);
    pub(crate) const ARRAY: Self = Self(32);
    pub(crate) const OBJECT: Self = Self(64);
    pub(crate) const ALL: Self = Self(127);
    pub(crate) const NONE: Self = Self(0);

    /// Returns the kinds of values that a word of the keyword `type` allows; `None` for an unknown word.
    pub(super) fn of_type(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::INTEGER.or(Self::FRACTION),
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            // OpenAPI 2.0: the content of a file.
            "file" => Self::ALL,
            _ => return None,
        })
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the kinds, as `type` has them.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let named = [
            (Self::ARRAY, "array"),
            (Self::BOOLEAN, "boolean"),
            (Self::FRACTION, "number"),
            (Self::INTEGER, "integer"),
            (Self::NULL, "null"),
            (Self::OBJECT, "object"),
            (Self::STRING, "string"),
        ];
        let own = named.into_iter().filter(|(kind, _)| self.intersects(*kind));
        let is_implied = |name: &str| name == "integer" && self.intersects(Self::FRACTION);
        own.map(|(_, name)| name).filter(|name| !is_implied(name)).collect()
    }
}

/// One compiled schema. What is not stated is empty.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword")]
pub(crate) struct CompiledSchema {
    /// A schema that is `false`: nothing is valid.
    pub(crate) is_never: bool,
    pub(crate) reference: Option<SchemaId>,
    pub(crate) kinds: KindSet,
    /// Null is valid, whatever else is said: `nullable` of OpenAPI 3.0. Beside references and combinations the
    /// specification gives it no effect, but descriptions use it with this meaning.
    pub(crate) is_nullable: bool,
    pub(crate) values: Option<Vec<Value>>,
    pub(crate) text: Option<Box<TextRules>>,
    pub(crate) number: Option<Box<NumberRules>>,
    pub(crate) list: Option<Box<ListRules>>,
    pub(crate) object: Option<Box<ObjectRules>>,
    pub(crate) branches: Option<Box<Branches>>,
    /// Only servers send it.
    pub(crate) is_read_only: bool,
    /// Only clients send it.
    pub(crate) is_write_only: bool,
    pub(crate) is_deprecated: bool,
}

impl Default for CompiledSchema {
    fn default() -> Self {
        Self {
            is_never: false,
            reference: None,
            kinds: KindSet::ALL,
            is_nullable: false,
            values: None,
            text: None,
            number: None,
            list: None,
            object: None,
            branches: None,
            is_read_only: false,
            is_write_only: false,
            is_deprecated: false,
        }
    }
}

/// Rules for strings.
#[derive(Debug, Default)]
pub(crate) struct TextRules {
    pub(crate) format: Option<CheckedFormat>,
    pub(crate) pattern: Option<PatternRule>,
    /// Bounds of the length in characters.
    pub(crate) min_length: u64,
    pub(crate) max_length: Option<u64>,
}

/// Rules for numbers.
#[derive(Debug, Default)]
pub(crate) struct NumberRules {
    pub(crate) format: Option<CheckedFormat>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_minimum: Option<f64>,
    pub(crate) exclusive_maximum: Option<f64>,
    pub(crate) multiple_of: Option<f64>,
}

/// Rules for arrays.
#[derive(Debug, Default)]
pub(crate) struct ListRules {
    pub(crate) first: Vec<SchemaId>,
    pub(crate) rest: Option<SchemaId>,
    pub(crate) contains: Option<(SchemaId, u64, Option<u64>)>,
    pub(crate) min_items: u64,
    pub(crate) max_items: Option<u64>,
    pub(crate) is_unique: bool,
    pub(crate) unevaluated: Option<SchemaId>,
}

/// Rules for objects.
#[derive(Debug, Default)]
pub(crate) struct ObjectRules {
    pub(crate) properties: BTreeMap<Box<str>, SchemaId>,
    pub(crate) required: Vec<Box<str>>,
    pub(crate) patterns: Vec<(PatternRule, SchemaId)>,
    pub(crate) additional: Option<SchemaId>,
    pub(crate) unevaluated: Option<SchemaId>,
    pub(crate) names: Option<SchemaId>,
    pub(crate) min_properties: u64,
    pub(crate) max_properties: Option<u64>,
    pub(crate) dependent_required: Vec<(Box<str>, Vec<Box<str>>)>,
    pub(crate) dependent_schemas: Vec<(Box<str>, SchemaId)>,
}

/// Schemas that apply to the value itself.
#[derive(Debug, Default)]
pub(crate) struct Branches {
    pub(crate) all: Vec<SchemaId>,
    pub(crate) any: Vec<SchemaId>,
    pub(crate) one: Vec<SchemaId>,
    pub(crate) not: Option<SchemaId>,
    pub(crate) condition: Option<(SchemaId, Option<SchemaId>, Option<SchemaId>)>,
    /// The property that tells which branch an object belongs to, and the branches of its values.
    pub(crate) discriminator: Option<(Box<str>, BTreeMap<Box<str>, SchemaId>)>,
}

impl SchemaSet {
    pub(crate) fn get(&self, id: SchemaId) -> &CompiledSchema {
        &self.schemas[id.0 as usize]
    }

    /// The place of a schema in the description.
    pub(crate) fn place(&self, id: SchemaId) -> &DescriptionPlace {
        &self.places[id.0 as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.schemas.len()
    }

    /// The names of the properties that a schema states itself or by reference.
    pub(crate) fn property_names(&self, id: SchemaId) -> impl Iterator<Item = &str> {
        let object = self.get(self.behind_references(id)).object.as_deref();
        object.into_iter().flat_map(|rules| rules.properties.keys().map(|name| &**name))
    }

    /// The schema behind references that stand alone.
    pub(crate) fn behind_references(&self, mut id: SchemaId) -> SchemaId {
        for _ in 0..32 {
            match self.get(id).reference {
                Some(target) => id = target,
                None => break,
            }
        }
        id
    }

    /// The kinds that a value may have to be valid, as far as `type` and the schemas that apply to the value itself say.
    pub(crate) fn kinds(&self, id: SchemaId) -> KindSet {
        self.kinds_within(id, 8)
    }

    fn kinds_within(&self, id: SchemaId, depth: u8) -> KindSet {
        let schema = self.get(id);
        let mut kinds = schema.kinds;
        if depth == 0 {
            return kinds;
        }
        if let Some(target) = schema.reference {
            kinds = kinds.and(self.kinds_within(target, depth - 1));
        }
        if let Some(branches) = &schema.branches {
            for all in &branches.all {
                kinds = kinds.and(self.kinds_within(*all, depth - 1));
            }
            for group in [&branches.any, &branches.one] {
                let each = group.iter().map(|id| self.kinds_within(*id, depth - 1));
                if let Some(any) = each.reduce(KindSet::or) {
                    kinds = kinds.and(any);
                }
            }
        }
        if schema.is_nullable { kinds.or(KindSet::NULL) } else { kinds }
    }
}
