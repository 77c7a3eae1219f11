//! Splitting of one path into several endpoints by operation, if the traffic shows that it has
//! operations.

use std::collections::BTreeMap;

use crate::flow::operation::parse_key;
use crate::template::context::LeafStats;
use crate::template::decided::DecidedLeaf;
use crate::template::trie::Leaf;

/// Minimum percentage of requests that must name an operation of a protocol. A name is proof, and requests without one may have a
/// body that is compressed or was not recorded.
const MIN_NAMED_PERCENT: u64 = 10;
/// Minimum percentage of requests that must have a query parameter as an operation. It is higher,
/// because a query parameter may also be a filter.
const MIN_QUERY_PERCENT: u64 = 95;

/// Groups the leaves of a node by method and operation. A method is split by the operations of a
/// protocol if some of its requests name one. It is split by the operations of a query parameter if
/// nearly all of its requests have one, there are at least two operations, and each has two
/// requests on average.
pub(super) fn split<'t, T: LeafStats>(ends: &[&'t Leaf<T>]) -> Vec<DecidedLeaf<'t, T>> {
    let mut by_method: BTreeMap<&'t [u8], Vec<&'t Leaf<T>>> = BTreeMap::new();
    for end in ends {
        by_method.entry(&end.method).or_default().push(end);
    }
    let mut decided: BTreeMap<(&'t [u8], &'t [u8]), Vec<&'t T>> = BTreeMap::new();
    for (method, ends) in by_method {
        let by_protocol = is_split(&ends, true);
        let by_query = is_split(&ends, false);
        for end in ends {
            let keep = match parse_key(&end.operation) {
                Some((true, _)) => by_protocol,
                Some((false, _)) => by_query,
                None => false,
            };
            let operation: &'t [u8] = if keep { &end.operation } else { b"" };
            decided.entry((method, operation)).or_default().push(&end.seen);
        }
    }
    decided.into_iter().collect()
}

/// Returns `true` if leaves of one method are split by operations of a protocol, or, if `protocol`
/// is false, of a query parameter.
fn is_split<T: LeafStats>(ends: &[&Leaf<T>], protocol: bool) -> bool {
    let total: u64 = ends.iter().map(|end| end.seen.count()).sum();
    let mut operations: BTreeMap<&[u8], u64> = BTreeMap::new();
    for end in ends {
        if let Some((of_protocol, name)) = parse_key(&end.operation)
            && of_protocol == protocol
        {
            *operations.entry(name).or_default() += end.seen.count();
        }
    }
    let named: u64 = operations.values().sum();
    let different = operations.len() as u64;
    if protocol {
        different > 0 && named * 100 >= total * MIN_NAMED_PERCENT
    } else {
        different > 1 && named >= 2 * different && named * 100 >= total * MIN_QUERY_PERCENT
    }
}
