//! What the machine allows beside the codecs: copying memory, getting it, writing to the device, creating files.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zarrange_array::Array;
use zarrange_grid::index;

/// Bytes copied to learn the bandwidth of memory, and written to learn that of the device.
const PROBE_BYTES: usize = 256 << 20;

/// Seconds until one thread has touched each page of as much new memory.
pub(super) fn fresh_seconds(bytes: u64) -> f64 {
    /// A host that takes free memory back has done so by then (Linux reports free pages after two seconds).
    const TAKEN_BACK: Duration = Duration::from_secs(3);
    const PAGE_BYTES: usize = 4096;
    std::thread::sleep(TAKEN_BACK);
    let begin = Instant::now();
    let mut memory = vec![0_u8; index(bytes)];
    zarrange_io::HugePages::ask(&mut memory).populate(|| true);
    memory.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
    let time = begin.elapsed().as_secs_f64();
    drop(memory);
    // The engine shall not find the same pages.
    std::thread::sleep(TAKEN_BACK);
    time
}

/// Copies memory to learn how fast that is.
pub(super) struct CopyProbe {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl CopyProbe {
    pub(super) fn new() -> Self {
        let mut probe = Self { from: vec![1; PROBE_BYTES], to: vec![0; PROBE_BYTES] };
        // Pages are there before the copy that counts.
        probe.to.copy_from_slice(&probe.from);
        probe
    }

    pub(super) fn seconds_per_byte(&mut self) -> f64 {
        let begin = Instant::now();
        self.to.copy_from_slice(std::hint::black_box(&self.from));
        std::hint::black_box(&self.to);
        begin.elapsed().as_secs_f64() / seconds(PROBE_BYTES as u64)
    }
}

/// Seconds for each byte that is written in order and made durable.
pub(super) fn device_rate(near: &Path) -> anyhow::Result<f64> {
    let path = near.with_extension("probe");
    let block = vec![7; 1 << 20];
    let mut file = File::create(&path)?;
    let begin = Instant::now();
    for _ in 0..PROBE_BYTES / block.len() {
        file.write_all(&block)?;
    }
    file.sync_data()?;
    let rate = begin.elapsed().as_secs_f64() / seconds(PROBE_BYTES as u64);
    std::fs::remove_file(path)?;
    Ok(rate)
}

/// Seconds to create as many files of the same mean size as `target` has objects, in one directory, and make them durable.
pub(super) fn create_files(dir: &Path, target: &Array, stored: u64) -> anyhow::Result<f64> {
    let count = target.objects().count();
    let content = vec![7; index(stored / count)];
    let names: Vec<PathBuf> = (0..count).map(|k| dir.join(k.to_string())).collect();
    std::fs::create_dir(dir)?;
    rustix::fs::sync();
    let begin = Instant::now();
    for name in &names {
        File::create(name)?.write_all(&content)?;
    }
    rustix::fs::syncfs(File::open(dir)?)?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Bytes of all files below `dir`.
pub(super) fn bytes_below(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { bytes_below(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}

/// A number of bytes as a factor of seconds for each.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
pub(super) fn seconds(bytes: u64) -> f64 {
    bytes as f64
}
