//! Where benches keep their data: made once, used again by the next run.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A directory for the data of benches, below `target`: a real disk on most machines.
///
/// # Errors
/// If it cannot be made.
pub fn data() -> io::Result<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-data");
    std::fs::create_dir_all(&target)?;
    target.canonicalize()
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

/// A small seeded generator (splitmix64, Steele, Lea and Flood 2014): the same requests in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `count` distinct numbers below `bound`, in random order.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn distinct(&mut self, count: usize, bound: u64) -> Vec<u64> {
        assert!(count as u64 <= bound, "{count} distinct numbers below {bound}");
        let mut seen = std::collections::HashSet::new();
        let mut out = Vec::with_capacity(count);
        while out.len() < count {
            let number = self.next() % bound;
            if seen.insert(number) {
                out.push(number);
            }
        }
        out
    }
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
        let numbers = Random::new(1).distinct(50, 50);
        assert_eq!(numbers.iter().sum::<u64>(), 49 * 50 / 2);
    }
}
