//! Leaves of a trie node. Methods and operations are bounded by hash (bottom-k), so any split of
//! the traffic keeps the same ones.

use crate::limits;
use crate::simd::is_same;
use crate::sketch::{Merge, stable_hash};
use crate::template::trie::node::{Leaf, Node};

/// Returns `true` for methods in the IANA HTTP Method Registry and for methods that caches use.
fn is_registered_method(method: &[u8]) -> bool {
    const METHODS: &str = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE \
                           MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH OTHER PATCH POST PRI \
                           PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK \
                           UPDATE UPDATEREDIRECTREF VERSION-CONTROL";
    METHODS.split(' ').any(|known| known.as_bytes() == method)
}

impl<T: Merge + Default> Node<T> {
    fn end_position(&self, method: &[u8], operation: &[u8]) -> Result<usize, usize> {
        self.ends.binary_search_by(|have| {
            (*have.method).cmp(method).then_with(|| (*have.operation).cmp(operation))
        })
    }

    /// The aggregate of a method and operation, inserted if necessary. Registered methods always
    /// have a leaf. Of the others, the [`limits::MAX_UNREGISTERED_METHODS`] with the smallest hashes are kept, and
    /// the rest is counted as `OTHER`. Of the operations of a method, the [`limits::MAX_OPERATIONS`]
    /// with the smallest hashes are kept, and the rest is counted without an operation.
    pub(super) fn end(&mut self, method: &[u8], operation: &[u8]) -> &mut T {
        const MAX_LINEAR_LEAVES: usize = 4;
        if self.ends.len() <= MAX_LINEAR_LEAVES
            && let Some(at) = self
                .ends
                .iter()
                .position(|end| is_same(&end.method, method) && is_same(&end.operation, operation))
        {
            return &mut self.ends[at].seen;
        }
        let at = match self.end_position(method, operation) {
            Ok(at) => at,
            Err(_) if !self.admit_method(method) => return self.end(b"OTHER", b""),
            Err(_) if !operation.is_empty() && !self.admit_operation(method, operation) => {
                return self.end(method, b"");
            }
            // Displacing a leaf may have moved the position.
            Err(_) => {
                let at = self.end_position(method, operation).unwrap_or_else(|at| at);
                let end = Leaf {
                    method: method.into(),
                    operation: operation.into(),
                    seen: Box::default(),
                };
                self.ends.insert(at, end);
                at
            }
        };
        &mut self.ends[at].seen
    }

    /// Returns `true` if the operation is in the bottom-k sample of its method. Displaces the
    /// operation with the largest hash if necessary.
    fn admit_operation(&mut self, method: &[u8], operation: &[u8]) -> bool {
        let of_method = |end: &Leaf<T>| *end.method == *method && !end.operation.is_empty();
        if self.ends.iter().filter(|end| of_method(end)).count() < limits::MAX_OPERATIONS {
            return true;
        }
        let kept = self.ends.iter().enumerate().filter(|(_, end)| of_method(end));
        let last = kept.max_by_key(|(_, end)| stable_hash(&end.operation)).map(|(at, _)| at);
        match last {
            Some(at) if stable_hash(operation) < stable_hash(&self.ends[at].operation) => {
                let displaced = self.ends.remove(at);
                self.end(method, b"").merge(*displaced.seen);
                true
            }
            _ => false,
        }
    }

    /// Returns `true` if the method is registered or in the bottom-k sample. Displaces the method
    /// with the largest hash if necessary.
    fn admit_method(&mut self, method: &[u8]) -> bool {
        if is_registered_method(method) {
            return true;
        }
        let mut others: Vec<&[u8]> = self
            .ends
            .iter()
            .map(|end| &*end.method)
            .filter(|other| !is_registered_method(other))
            .collect();
        others.dedup();
        if others.len() < limits::MAX_UNREGISTERED_METHODS || others.contains(&method) {
            return true;
        }
        let last = others.into_iter().max_by_key(|other| stable_hash(other)).map(<[u8]>::to_vec);
        match last {
            Some(last) if stable_hash(method) < stable_hash(&last) => {
                let (displaced, kept) = std::mem::take(&mut self.ends)
                    .into_iter()
                    .partition(|end: &Leaf<T>| *end.method == *last);
                self.ends = kept;
                let displaced: Vec<Leaf<T>> = displaced;
                for end in displaced {
                    self.end(b"OTHER", b"").merge(*end.seen);
                }
                true
            }
            _ => false,
        }
    }
}
