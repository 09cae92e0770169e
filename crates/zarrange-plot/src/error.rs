//! What can go wrong with pictures.

/// Pixels on a side at most.
pub(crate) const SIDE_MAX: u32 = 16384;

/// Pixels at most: 256 MiB of memory.
pub(crate) const PIXELS_MAX: u64 = 1 << 26;

/// A picture that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// There are no pixels, or too many.
    #[error(
        "a picture of {width} x {height} pixels cannot be drawn: each side must be from 1 to {SIDE_MAX} pixels, and there may be {PIXELS_MAX} pixels in all"
    )]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The pixels cannot be written as PNG.
    #[error("the picture cannot be written as PNG: {source}")]
    Encode {
        /// Why not.
        source: std::io::Error,
    },
}
