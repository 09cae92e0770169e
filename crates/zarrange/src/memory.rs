//! How much memory and how many processors this process may use.

use std::fs;
use std::path::Path;

/// Where nothing can be found out.
const FALLBACK_BYTES: u64 = 1 << 30;

/// Half of what is available to the process: the machine's free memory, or what its control groups leave.
pub(crate) fn default_max() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let available = available_kib(&meminfo).map(|kib| kib * 1024);
    let left = groups.lines().filter_map(|line| group_left(Path::new("/sys/fs/cgroup"), line)).min();
    available.into_iter().chain(left).min().unwrap_or(FALLBACK_BYTES) / 2
}

/// Processors that this process may run on.
pub(crate) fn threads() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

/// The most memory that was resident so far, as the kernel counts it; `None` where it does not.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

fn available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|l| l.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
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
        assert_eq!(available_kib("MemTotal: 5 kB\nMemAvailable:   77 kB\n"), Some(77));
    }
}
