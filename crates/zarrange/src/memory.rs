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

/// What the group of a line of `/proc/self/cgroup`, and the groups around it, leave.
fn group_left(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (base, limit, usage) = match controllers {
        "" => (root.to_owned(), "memory.max", "memory.current"),
        list if list.split(',').any(|c| c == "memory") => {
            (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes")
        }
        _ => return None,
    };
    let number = |path: std::path::PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    Path::new(path.trim_start_matches('/'))
        .ancestors()
        .filter_map(|group| {
            let dir = base.join(group);
            let left = number(dir.join(limit))?.saturating_sub(number(dir.join(usage)).unwrap_or(0));
            Some(left)
        })
        .min()
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
        write("memory/c/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/c/memory.usage_in_bytes", "100\n");
        assert_eq!(group_left(dir.path(), "0::/a/b"), Some(600));
        assert_eq!(group_left(dir.path(), "4:cpu,memory:/c"), Some(9_223_372_036_854_771_612));
        assert_eq!(group_left(dir.path(), "3:cpu:/c"), None);
        assert_eq!(group_left(dir.path(), "0::/none"), None);
        assert_eq!(available_kib("MemTotal: 5 kB\nMemAvailable:   77 kB\n"), Some(77));
    }
}
