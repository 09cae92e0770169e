//! Why there is no index. Nobody asks: labels are read instead, and if something is wrong with them, that tells it.

use zarrange_io::IoError;

use crate::LightCurveError;

/// There is no index that can be trusted, and none can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoIndex;

impl From<IoError> for NoIndex {
    fn from(_: IoError) -> Self {
        Self
    }
}

impl From<LightCurveError> for NoIndex {
    fn from(_: LightCurveError) -> Self {
        Self
    }
}
