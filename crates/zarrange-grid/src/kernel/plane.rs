//! What the inner loops of a copy walk.

use crate::reduced::Axis;

/// Bytes that memory moves at once.
pub(super) const LINE: usize = 64;

/// Two axes of a copy, and what is moved at each of their points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    pub(super) inner: Axis,
    /// Of length 1 if there is no second axis.
    pub(super) across: Axis,
    /// `across` is closer in the source than `inner`.
    pub(super) crossed: bool,
    /// Contiguous bytes at each point, on both sides.
    pub(super) run: usize,
    /// Bytes that swap together; 1 where none do.
    pub(super) unit: usize,
    /// Lines of the destination are written past the caches.
    pub(super) stream: bool,
    /// The source is asked for ahead.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "plain code cannot"))]
    pub(super) prefetch: bool,
}
