//! The order in which the elements of a chunk are stored.

use serde_json::Value;
use zarrange_grid::index;
use zarrs::metadata::v3::MetadataV3;

use crate::CodecError;
use crate::steps::config::Config;

/// The axes of a chunk, outermost first, as they are stored: how many indices each has, and how far they lie apart in C order.
#[derive(Clone, Debug)]
pub(crate) struct StoredOrder {
    axes: Vec<(usize, usize)>,
}

impl StoredOrder {
    /// C order, for chunks of `shape`, of which the size does not overflow.
    pub(crate) fn c_order(shape: &[u64]) -> Self {
        let mut stride = 1usize;
        let mut axes: Vec<_> = shape
            .iter()
            .rev()
            .map(|extent| {
                let axis = (index(*extent), stride);
                // Only of chunks without elements can it be too large.
                stride = stride.saturating_mul(index(*extent));
                axis
            })
            .collect();
        axes.reverse();
        Self { axes }
    }

    /// Stored in the order that a `transpose` codec gives.
    pub(crate) fn transposed(self, codec: &MetadataV3) -> Result<Self, CodecError> {
        let mut config = Config::new(codec);
        let value = config.get("order").unwrap_or(&Value::Null);
        let order: Option<Vec<u64>> =
            value.as_array().and_then(|list| list.iter().map(Value::as_u64).collect());
        let order = order.unwrap_or_default();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        let rank = self.axes.len();
        if value.is_null() || !sorted.iter().copied().eq(0..rank as u64) {
            return Err(config.wrong("order", value, &format!("each of the {rank} dimensions once")));
        }
        config.finish()?;
        Ok(Self { axes: order.iter().map(|axis| self.axes[index(*axis)]).collect() })
    }

    /// Positions in C order of the elements, as they are stored.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        let count: usize = self.axes.iter().map(|(extent, _)| extent).product();
        let (mut at, mut indices) = (0, vec![0; self.axes.len()]);
        (0..count).map(move |_| {
            let position = at;
            for ((extent, stride), k) in self.axes.iter().zip(&mut indices).rev() {
                *k += 1;
                at += stride;
                if *k < *extent {
                    break;
                }
                at -= *extent * stride;
                *k = 0;
            }
            position
        })
    }
}
