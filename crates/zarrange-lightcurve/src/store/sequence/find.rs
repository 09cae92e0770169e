//! Which observations are there already, and how many places their objects have used.

use zarrange_array::{Array, RegionReader};
use zarrange_grid::index;

use crate::LightCurveError;
use crate::store::sequence::observations::{Group, Observations};

/// Finds the observations `given` among those that are stored: of the same object, in the same band, and not further away than
/// `tolerance`. Chunks of times are read one after the other, and bands beside them.
///
/// # Errors
/// If a chunk cannot be read.
pub(super) fn find(
    (times, bands): (&Array, Option<&Array>),
    (given, groups, codes): (&mut Observations, &mut [Group], &[u8]),
    tolerance: f64,
) -> Result<(), LightCurveError> {
    let grid = times.objects();
    let mut time_reader = RegionReader::new(times)?;
    let mut band_reader = bands.map(RegionReader::new).transpose()?;
    let (mut time, mut band) = (Vec::new(), Vec::new());
    let mut rest = groups;
    while let Some(first) = rest.first() {
        let row = grid.chunk_at(0, first.object).0;
        let end = grid.region(&[row, 0]).end(0);
        let (here, behind) = rest.split_at_mut(rest.partition_point(|group| group.object < end));
        rest = behind;
        for column in 0..grid.counts()[1] {
            let region = grid.region(&[row, column]);
            let (start, width) = (region.start()[1], index(region.shape()[1]));
            time.resize(8 * index(region.elements()), 0);
            time_reader.read_into(&region, &mut time)?;
            if let Some(reader) = &mut band_reader {
                band.resize(index(region.elements()), 0);
                reader.read_into(&region, &mut band)?;
            }
            for group in &mut *here {
                let at = index(group.object - region.start()[0]) * width;
                let of_object = &time.as_chunks::<8>().0[at..at + width];
                for (k, bytes) in of_object.iter().enumerate() {
                    let time = f64::from_ne_bytes(*bytes);
                    if time.is_nan() {
                        continue;
                    }
                    let code = band.get(at + k);
                    let is_band = |band: u16| code.is_none_or(|code| codes[usize::from(band)] == *code);
                    given.note(group, (start + k as u64, time), is_band, tolerance);
                }
            }
        }
    }
    Ok(())
}
