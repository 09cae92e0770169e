//! What a run made beside its target, and takes away again.

use zarrange_io::Location;

use super::run_folder::RunFolder;

/// Directories that were made and go again, as far as they are empty.
#[derive(Debug)]
pub(super) struct Made(pub(super) Vec<Location>);

impl Drop for Made {
    fn drop(&mut self) {
        Location::remove_directories(&self.0);
    }
}

/// Removes a run folder; what is told if it cannot be.
pub(super) fn remove(folder: &mut RunFolder) -> Option<String> {
    let error = folder.remove().err()?;
    Some(format!("{} is left over and can be removed: {error}", folder.place()))
}
