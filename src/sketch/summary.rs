//! Traits of mergeable summaries, and the macro that combines several summaries into one.

/// An aggregate that can absorb another one of its type.
pub(crate) trait Merge {
    /// Adds the observations of `other`. Associative and commutative; a new aggregate is the
    /// neutral element.
    fn merge(&mut self, other: Self);
}

/// An aggregate that reports its memory use.
pub(crate) trait HeapSize {
    /// Heap memory owned by the aggregate in bytes, by capacity, excluding `size_of::<Self>()`.
    fn heap_bytes(&self) -> usize;
}

/// An aggregate that knows its largest counter, for overflow checks of stored states.
pub(crate) trait LargestCount {
    /// The largest number that merging adds to another; 0 if there is none.
    fn largest_count(&self) -> u64;
}

/// An aggregate whose tables of names can be pruned. The provided methods suit one that has none.
pub(crate) trait KeepsNames {
    /// Upper bound of [`extra_names`](Self::extra_names), in constant time per table.
    #[inline]
    fn extra_names_at_most(&self) -> usize {
        0
    }

    /// Number of names beyond the first [`limits::FREE_NAMES`](crate::limits::FREE_NAMES) of each
    /// table, summed over the tables.
    #[inline]
    fn extra_names(&self) -> usize {
        0
    }

    /// Prunes every table to the `most` names with the smallest hashes; the others are merged into
    /// the table's rest. The threshold of a bottom-k sample never rises, so the counts of kept
    /// names stay exact however often and whenever this is called.
    #[inline]
    fn keep_names(&mut self, most: usize) {
        let _ = most;
    }
}

/// Merges a part that may be absent.
pub(crate) fn merge_option<T: Merge>(one: &mut Option<Box<T>>, other: Option<Box<T>>) {
    match (one.as_mut(), other) {
        (Some(one), Some(other)) => one.merge(*other),
        (None, other) => *one = other,
        (Some(_), None) => {}
    }
}

/// Heap memory of a vector's buffer in bytes, excluding heap memory owned by its items.
pub(crate) fn vec_bytes<T>(items: &Vec<T>) -> usize {
    items.capacity() * size_of::<T>()
}

impl Merge for u64 {
    #[inline]
    fn merge(&mut self, other: Self) {
        *self += other;
    }
}

impl HeapSize for u64 {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl LargestCount for u64 {
    fn largest_count(&self) -> u64 {
        *self
    }
}

impl KeepsNames for u64 {}

/// Defines a struct whose fields are summaries, and makes it a summary: merging, size, counters,
/// names and the stored form cover every field.
macro_rules! summary {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type,)+
        }

        impl $crate::sketch::Merge for $name {
            fn merge(&mut self, other: Self) {
                $($crate::sketch::Merge::merge(&mut self.$field, other.$field);)+
            }
        }

        impl $crate::sketch::HeapSize for $name {
            fn heap_bytes(&self) -> usize {
                0 $(+ $crate::sketch::HeapSize::heap_bytes(&self.$field))+
            }
        }

        impl $crate::sketch::LargestCount for $name {
            fn largest_count(&self) -> u64 {
                0 $(.max($crate::sketch::LargestCount::largest_count(&self.$field)))+
            }
        }

        impl $crate::sketch::KeepsNames for $name {
            #[inline]
            fn extra_names_at_most(&self) -> usize {
                0 $(+ $crate::sketch::KeepsNames::extra_names_at_most(&self.$field))+
            }

            fn extra_names(&self) -> usize {
                0 $(+ $crate::sketch::KeepsNames::extra_names(&self.$field))+
            }

            fn keep_names(&mut self, most: usize) {
                $($crate::sketch::KeepsNames::keep_names(&mut self.$field, most);)+
            }
        }
    };
}

pub(crate) use summary;
