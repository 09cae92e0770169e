//! A copy reduced to its essence: few axes, and the longest run of bytes that is contiguous on both sides.

use smallvec::SmallVec;

use crate::index;

/// One loop of a copy: `len` steps of `src` and `dst` bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) len: usize,
    pub(crate) src: usize,
    pub(crate) dst: usize,
}

/// A reduced copy: `run` contiguous bytes at each point of the `axes`, outermost (largest destination stride) first.
#[derive(Debug)]
pub(crate) struct Reduced {
    pub(crate) axes: SmallVec<[Axis; 6]>,
    pub(crate) run: usize,
    /// Bytes that swap together; 1 where none do.
    pub(crate) unit: usize,
    /// Nothing to copy.
    pub(crate) empty: bool,
}

impl Reduced {
    pub(crate) fn new(shape: &[u64], src_strides: &[u64], dst_strides: &[u64], item_bytes: usize) -> Self {
        let mut axes: SmallVec<[Axis; 6]> = (0..shape.len())
            .filter(|d| shape[*d] != 1)
            .map(|d| Axis { len: index(shape[d]), src: index(src_strides[d]), dst: index(dst_strides[d]) })
            .collect();
        let empty = axes.iter().any(|a| a.len == 0);
        axes.sort_by_key(|a| std::cmp::Reverse(a.dst));
        axes.dedup_by(|inner, outer| {
            let one = outer.src == inner.src * inner.len && outer.dst == inner.dst * inner.len;
            if one {
                *outer = Axis { len: outer.len * inner.len, ..*inner };
            }
            one
        });
        let mut run = item_bytes;
        if let Some(last) = axes.last()
            && last.src == run
            && last.dst == run
        {
            run *= last.len;
            axes.pop();
        }
        Self { axes, run, unit: 1, empty }
    }

    /// Bytes from the first byte touched to one past the last, on each side, of a copy that is not empty.
    pub(crate) fn extents(&self) -> (usize, usize) {
        self.axes.iter().fold((self.run, self.run), |(src, dst), a| {
            (src + (a.len - 1) * a.src, dst + (a.len - 1) * a.dst)
        })
    }

    /// Whether the copy stays within `src_bytes` and `dst_bytes`.
    pub(crate) fn fits(&self, src_bytes: usize, dst_bytes: usize) -> bool {
        if self.empty {
            return true;
        }
        let (src, dst) = self.extents();
        src <= src_bytes && dst <= dst_bytes
    }
}
