//! The decided tree: what deciding the templates gives.

use crate::template::Template;
use crate::template::classifier::Classification;
use crate::template::variable::Variable;

/// A node of the decided tree.
#[derive(Debug)]
pub(crate) struct DecidedNode<'t, T> {
    /// Literal children, sorted by text.
    pub(crate) literals: Vec<(DecidedLiteral<'t>, Self)>,
    /// Parameter children, sorted by key.
    pub(crate) variables: Vec<(Variable<'t>, Self)>,
    /// Leaves by (method, operation). The operation is empty if the path is not split by operation.
    pub(crate) ends: Vec<DecidedLeaf<'t, T>>,
    /// The path template of this node.
    pub(crate) template: Template,
    /// Child segments whose classification was close, the closest first.
    pub(crate) near: Vec<CloseCall<'t>>,
}

/// A segment that was classified as a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecidedLiteral<'t> {
    pub(crate) text: &'t [u8],
    /// True if a request with it had a status other than 404, or no known response.
    pub(crate) answered: bool,
    /// True if a request with it was answered with 404.
    pub(crate) not_found: bool,
}

/// A decided leaf: method and operation, and the aggregates that belong to it.
pub(crate) type DecidedLeaf<'t, T> = ((&'t [u8], &'t [u8]), Vec<&'t T>);

/// A segment whose classification was close.
#[derive(Clone, Debug)]
pub(crate) struct CloseCall<'t> {
    pub(crate) text: &'t [u8],
    pub(crate) verdict: Classification,
}
