//! Pictures of light curves, as SVG and PNG, from one description.
//!
//! **It owns** how a light curve looks: the range that is shown, ticks and their labels, colours and markers of bands, the fold on a
//! period. What cannot be drawn, such as an infinite value, is counted in a note under the plot.
//!
//! **It never knows** where the numbers come from, and files.
//!
//! One scene is made of a light curve, and one of two painters draws it, so both pictures are the same. PNG needs no fonts of the
//! machine: letters are strokes that are held here. Fonts of the system would draw nicer letters, but a compute node has often none.
//!
//! **Call [`svg`] or [`png()`] first.** A picture of twice the size is the same picture, drawn sharper.
//!
//! ```
//! use zarrange_plot::{Fold, LightCurve, PlotError, Series, png, svg};
//!
//! let curve = LightCurve {
//!     title: "An eclipsing binary".into(),
//!     time_label: "MJD (TDB)".into(),
//!     value_label: "mag".into(),
//!     inverted: true,
//!     fold: Some(Fold { period: 0.5421, epoch: 59000.0 }),
//!     series: vec![Series {
//!         name: "g".into(),
//!         times: vec![59000.5, 59001.5],
//!         values: vec![17.1, f64::INFINITY],
//!         errors: Some(vec![0.02, 0.02]),
//!     }],
//! };
//! let text = svg(&curve, (800, 500));
//! assert!(text.contains("phase, P = 0.5421 d") && text.contains("1 value is infinite"));
//! assert!(png(&curve, (1600, 1000))?.starts_with(b"\x89PNG"));
//! assert!(matches!(png(&curve, (0, 500)), Err(PlotError::Size { width: 0, height: 500 })));
//! # Ok::<(), PlotError>(())
//! ```

mod axis;
mod clean;
mod curve;
mod encode;
mod error;
mod font;
mod glyphs;
mod layout;
mod legend;
mod plan;
mod range;
mod raster;
mod scene;
mod style;
#[cfg(test)]
mod tests;
mod vector;
mod words;

pub use curve::{Fold, LightCurve, Series};
pub use error::PlotError;

/// A light curve as SVG of so many pixels, width and height; it may be scaled freely.
pub fn svg(curve: &LightCurve, size: (u32, u32)) -> String {
    vector::paint(&layout::scene(curve, size), size)
}

/// A light curve as PNG of so many pixels, width and height.
///
/// # Errors
/// [`PlotError::Size`] if there are no pixels, or too many.
pub fn png(curve: &LightCurve, size: (u32, u32)) -> Result<Vec<u8>, PlotError> {
    // Nothing is laid out for a picture that cannot be.
    let canvas = raster::canvas(size)?;
    raster::paint(&layout::scene(curve, size), canvas)
}
