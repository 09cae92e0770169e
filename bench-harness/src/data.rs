//! Where benches keep their data: made once, used again by the next run.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::random::Random;

/// A directory for the data of benches, below `target`: a real disk on most machines. Where the checkout is not that this was built from, it
/// is `zarrange-bench` below the working directory.
///
/// # Errors
/// If it cannot be made.
pub fn folder() -> io::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = if here.is_dir() { here.join("../target/bench-data") } else { "zarrange-bench".into() };
    std::fs::create_dir_all(&folder)?;
    folder.canonicalize()
}

/// Makes sure that `path` may be replaced: it is not there, or the `note` beside it says that it was made here. The note is there
/// afterwards, so that what is not finished is made anew by the next run.
///
/// # Errors
/// If it is there without a note, or the note cannot be written.
pub fn take(path: &Path, note: &Path) -> io::Result<()> {
    if !note.exists() {
        if path.symlink_metadata().is_ok() {
            let detail = format!("{} is there, and was not made here: choose another --dir", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, detail));
        }
        File::create_new(note)?;
    }
    Ok(())
}

/// The file `name` in `dir` with `bytes` bytes that do not compress, made if it is missing or of another size.
///
/// # Errors
/// If it cannot be written.
pub fn file(dir: &Path, name: &str, bytes: u64) -> io::Result<PathBuf> {
    let path = dir.join(name);
    if path.metadata().is_ok_and(|meta| meta.len() == bytes) {
        return Ok(path);
    }
    let (mut file, mut random, mut left) = (File::create(&path)?, Random::new(bytes), bytes);
    let mut block = vec![0; 1 << 20];
    while left > 0 {
        for word in block.chunks_exact_mut(8) {
            word.copy_from_slice(&random.next().to_le_bytes());
        }
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..step])?;
        left -= step as u64;
    }
    file.sync_all()?;
    Ok(path)
}

/// A directory `name` in `dir` with `count` files of `bytes` each, made if it is missing.
///
/// # Errors
/// If it cannot be written.
pub fn files(dir: &Path, name: &str, count: u64, bytes: usize) -> io::Result<PathBuf> {
    let path = dir.join(format!("{name}-{count}-{bytes}"));
    let mark = path.join("complete");
    if !mark.exists() {
        std::fs::create_dir_all(&path)?;
        let content: Vec<u8> = (0..bytes).map(|k| (k % 251).to_le_bytes()[0]).collect();
        for k in 0..count {
            std::fs::write(path.join(k.to_string()), &content)?;
        }
        std::fs::write(mark, [])?;
    }
    Ok(path)
}

/// Copies a directory of files and directories.
///
/// # Errors
/// If something cannot be read or written, or `to` is there.
pub fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_made_once_and_to_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path(), "f", 2_000_001).unwrap();
        let first = std::fs::read(&path).unwrap();
        assert_eq!(first.len(), 2_000_001);
        let made = path.metadata().unwrap().modified().unwrap();
        file(dir.path(), "f", 2_000_001).unwrap();
        assert_eq!(path.metadata().unwrap().modified().unwrap(), made);
        let path = files(dir.path(), "many", 5, 7).unwrap();
        assert_eq!(std::fs::read(path.join("4")).unwrap().len(), 7);
    }
}
