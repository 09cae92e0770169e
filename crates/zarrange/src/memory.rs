//! How much memory and how many processors this process may use.
//!
//! Where the system refuses a small piece of memory nothing can be done but to abort: what limits leave is looked at beforehand, and the
//! budget made to fit it. (Large pieces that are refused are errors.)

use std::fs;
use std::path::Path;

use anyhow::ensure;
use rustix::process::{Resource, getrlimit};
use zarrange_io::{STD_THREADS, one_arena};
use zarrange_plan::bytes_text;

use crate::out::{detail, note};

/// Where nothing can be found out.
const FALLBACK_BYTES: u64 = 1 << 30;

/// What a process takes besides its buffers: code, tables, libraries; and what its threads take, each for its stack.
const BESIDE_BYTES: u64 = 64 << 20;
const STACK_BYTES: u64 = (2 << 20) + (64 << 10);

/// What the smallest command needs.
const LEAST_BYTES: u64 = 24 << 20;

/// Prepares for limits on the memory of this process, if there are any.
///
/// # Errors
/// If they leave too little for anything.
pub(crate) fn prepare() -> anyhow::Result<()> {
    match limit_left() {
        Some(left) => {
            one_arena();
            ensure!(left >= LEAST_BYTES, "{}", too_little(left, LEAST_BYTES));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Of `wanted` bytes for buffers, those that limits on the memory of this process leave besides what it needs with so many threads.
///
/// # Errors
/// If they leave none.
pub(crate) fn given(wanted: u64, threads: u64) -> anyhow::Result<u64> {
    let given = limited(wanted, threads)?;
    detail!("memory: {} for data; threads: {threads}", bytes_text(given));
    Ok(given)
}

/// Of `wanted` bytes those that limits leave; a note where these are fewer.
fn limited(wanted: u64, threads: u64) -> anyhow::Result<u64> {
    let Some(left) = limit_left() else { return Ok(wanted) };
    let beside = beside(threads);
    let given = left.saturating_sub(beside);
    ensure!(given > 0, "{}", too_little(left, beside));
    if given < wanted {
        let (wanted, given) = (bytes_text(wanted), bytes_text(given));
        note!(
            "of {wanted} for data, the limits of this process (ulimit -v) leave {given}: going on with those"
        );
    }
    Ok(wanted.min(given))
}

/// What a process needs with so many threads besides its buffers.
fn beside(threads: u64) -> u64 {
    // Half as many workers again as threads, and those that the std backend reads with.
    let threads = threads + threads.div_ceil(2) + STD_THREADS as u64;
    BESIDE_BYTES + threads * STACK_BYTES
}

/// Refuses a plan for more memory than limits on that of this process leave.
///
/// # Errors
/// If they leave less.
pub fn check(planned: u64, threads: u64) -> anyhow::Result<()> {
    let (left, needed) = (limit_left().unwrap_or(u64::MAX), planned.saturating_add(beside(threads)));
    ensure!(
        needed <= left,
        "the plan is for {} of data, the limits of this process (ulimit -v) leave {} for all: raise them, or plan again with less",
        bytes_text(planned),
        bytes_text(left)
    );
    Ok(())
}

fn too_little(left: u64, needed: u64) -> String {
    let (left, needed) = (bytes_text(left), bytes_text(needed));
    format!(
        "the limits of this process (ulimit -v) leave {left} of memory, and {needed} are needed besides the data: raise them, or use \
         fewer --threads"
    )
}

/// What limits leave: those of the process on its addresses and on its data, and that of a system that promises no more memory than it
/// has. `None` where nothing is limited.
fn limit_left() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = [(Resource::As, "VmSize:"), (Resource::Data, "VmData:")];
    let own = limits.into_iter().filter_map(|(limit, used)| {
        Some(getrlimit(limit).current?.saturating_sub(field(&status, used).unwrap_or(0)))
    });
    let strict = fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim() == "2");
    let promised = || {
        let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
        Some(field(&meminfo, "CommitLimit:")?.saturating_sub(field(&meminfo, "Committed_AS:")?))
    };
    own.chain(strict.then(promised).flatten()).min()
}

/// Half of what is available to the process.
pub fn default_max() -> u64 {
    available() / 2
}

/// What is available to the process: the machine's free memory, or what its control groups leave.
pub(crate) fn available() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let available = field(&meminfo, "MemAvailable:");
    let left = groups.lines().filter_map(|line| group_left(Path::new("/sys/fs/cgroup"), line)).min();
    available.into_iter().chain(left).min().unwrap_or(2 * FALLBACK_BYTES)
}

/// Processors that this process may run on.
pub fn threads() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

/// The most memory that was resident so far, as the kernel counts it; `None` where it does not.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// The bytes of a line of a file that has lines of a name and KiB.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The files of a memory group, in one of the two versions of control groups.
struct Files {
    /// Of limits, the lowest counts: what is beyond `memory.high` is slowed down.
    limits: &'static [&'static str],
    usage: &'static str,
    /// What of the usage is taken back before a limit is felt: the page cache, in the group and those below it, and what is
    /// kept of names and inodes.
    reclaimable: &'static [&'static str],
}

const V1: Files = Files {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    reclaimable: &["total_inactive_file", "total_active_file"],
};

const V2: Files = Files {
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    reclaimable: &["inactive_file", "active_file", "slab_reclaimable"],
};

/// What the group of a line of `/proc/self/cgroup`, and the groups around it, leave.
fn group_left(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (base, files) = match controllers {
        "" => (root.to_owned(), V2),
        list if list.split(',').any(|c| c == "memory") => (root.join("memory"), V1),
        _ => return None,
    };
    let groups = Path::new(path.trim_start_matches('/')).ancestors();
    groups.filter_map(|group| files.left(&base.join(group))).min()
}

impl Files {
    /// What the group at `dir` leaves, if it has a limit.
    fn left(&self, dir: &Path) -> Option<u64> {
        let text = |name: &str| fs::read_to_string(dir.join(name)).ok();
        let number = |name: &&str| text(name)?.trim().parse::<u64>().ok();
        let limit = self.limits.iter().filter_map(number).min()?;
        let stat = text("memory.stat").unwrap_or_default();
        let reclaimable = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            if self.reclaimable.contains(&name) { value.trim().parse::<u64>().ok() } else { None }
        };
        let reclaimable = stat.lines().filter_map(reclaimable).fold(0, u64::saturating_add);
        let used = number(&self.usage).unwrap_or(0).saturating_sub(reclaimable);
        Some(limit.saturating_sub(used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_group_counts() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/b/memory.max", "max\n");
        write("a/memory.max", "1000\n");
        write("a/memory.current", "400\n");
        write(
            "a/memory.stat",
            "anon 300\nfile 99\ninactive_file 40\nactive_file 30\nslab_reclaimable 5\nslab 50\n",
        );
        write("a/b/c/memory.max", "2000\n");
        write("a/b/c/memory.high", "500\n");
        write("a/b/c/memory.current", "100\n");
        write("a/full/memory.max", "900\n");
        write("a/full/memory.current", "890\n");
        write("a/full/memory.stat", "inactive_file 500\nactive_file 300\n");
        write("memory/c/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/c/memory.usage_in_bytes", "100\n");
        assert_eq!(group_left(dir.path(), "0::/a/b"), Some(675));
        assert_eq!(group_left(dir.path(), "0::/a/b/c"), Some(400));
        assert_eq!(group_left(dir.path(), "0::/a/full"), Some(675), "the page cache is free");
        assert_eq!(group_left(dir.path(), "4:cpu,memory:/c"), Some(9_223_372_036_854_771_612));
        write("memory/d/memory.limit_in_bytes", "1000\n");
        write("memory/d/memory.usage_in_bytes", "990\n");
        write(
            "memory/d/memory.stat",
            "cache 1\ninactive_file 1\ntotal_inactive_file 400\ntotal_active_file 200\ntotal_cache 700\n",
        );
        assert_eq!(group_left(dir.path(), "4:memory:/d/e"), Some(610));
        assert_eq!(group_left(dir.path(), "3:cpu:/c"), None);
        assert_eq!(group_left(dir.path(), "0::/none"), None);
        assert_eq!(field("MemTotal: 5 kB\nMemAvailable:   77 kB\n", "MemAvailable:"), Some(77 << 10));
    }
}
