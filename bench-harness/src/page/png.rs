//! Charts as PNG files, for what takes no SVG: drawn from the very text of the SVG file, with a font of this machine.

use std::sync::Arc;

use anyhow::Context as _;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Family, Query};
use resvg::usvg::{Options, Tree};

/// Pixels for each unit of the SVG: sharp in print and on dense screens.
const DENSITY: f32 = 2.0;

/// Draws SVG text.
pub(crate) struct Painter(Options<'static>);

impl Painter {
    /// One with the fonts of this machine.
    ///
    /// # Errors
    /// If there are none: text would be left out without a word.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        let wanted = Query { families: &[Family::SansSerif], ..Query::default() };
        // The name that the system is configured with may be that of a font which it lacks.
        if fonts.query(&wanted).is_none() {
            let family = sans(&fonts).context(
                "PNG files need a font for their text and none is installed: install one, such as the package \
                 fonts-dejavu-core",
            )?;
            fonts.set_sans_serif_family(family);
        }
        Ok(Self(Options { fontdb: Arc::new(fonts), ..Options::default() }))
    }

    /// The bytes of a PNG file: the SVG on white.
    ///
    /// # Errors
    /// If the SVG has faults.
    pub(crate) fn png(&self, svg: &str) -> anyhow::Result<Vec<u8>> {
        let tree = Tree::from_str(svg, &self.0)?;
        let size = tree.size().to_int_size().scale_by(DENSITY).context("its size is out of range")?;
        let mut pixels = Pixmap::new(size.width(), size.height()).context("it is too large")?;
        pixels.fill(Color::WHITE);
        resvg::render(&tree, Transform::from_scale(DENSITY, DENSITY), &mut pixels.as_mut());
        Ok(pixels.encode_png()?)
    }
}

/// An installed family without serifs if there is one, else any: the shortest name is the plain one (Noto Sans, not Noto Sans Adlam).
fn sans(fonts: &Database) -> Option<String> {
    let families = fonts.faces().filter_map(|face| Some((face.monospaced, &face.families.first()?.0)));
    let plain = families
        .min_by_key(|(monospaced, name)| (!name.contains("Sans"), *monospaced, name.len(), name.as_str()));
    plain.map(|(_, name)| name.clone())
}
