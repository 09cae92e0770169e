//! Where bytes lie: the facts about a place that a measurement is worth nothing without.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Facts about the place of a path; one that cannot be found out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Type of the file system, such as `ext4`.
    pub file_system: Option<String>,
    /// Name of the block device below it, such as `nvme0n1p1`.
    pub block_device: Option<String>,
    /// Read-ahead of the device in KiB, as the kernel reports it.
    pub read_ahead_kb: Option<u64>,
    /// I/O scheduler of the device, such as `none`.
    pub scheduler: Option<String>,
    /// Release of the kernel, such as `6.18.0`.
    pub kernel: Option<String>,
}

impl fmt::Display for DeviceFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_owned());
        let read_ahead = self.read_ahead_kb.map_or_else(|| "unknown".to_owned(), |kb| format!("{kb} KiB"));
        let (file_system, device) = (text(&self.file_system), text(&self.block_device));
        let (scheduler, kernel) = (text(&self.scheduler), text(&self.kernel));
        write!(
            f,
            "file system {file_system}, device {device}, read-ahead {read_ahead}, scheduler {scheduler}, kernel {kernel}"
        )
    }
}

/// The facts about `path`, or about the directory where it would be made.
pub fn facts(path: &Path) -> DeviceFacts {
    let kernel = read_line(Path::new("/proc/sys/kernel/osrelease"));
    // Names in mounts need not be UTF-8.
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mounts = String::from_utf8_lossy(&mounts);
    let Some(mount) = resolve(path).and_then(|path| mount_of(&mounts, &path)) else {
        return DeviceFacts { kernel, ..Default::default() };
    };
    let device = block_directory(&mount);
    let queue = device.as_deref().and_then(queue_directory);
    let fact = |name: &str| read_line(&queue.as_ref()?.join(name));
    DeviceFacts {
        file_system: Some(mount.file_system),
        block_device: device.as_ref().and_then(|d| Some(d.file_name()?.to_str()?.to_owned())),
        read_ahead_kb: fact("read_ahead_kb").and_then(|kb| kb.parse().ok()),
        scheduler: fact("scheduler").map(|line| chosen(&line).to_owned()),
        kernel,
    }
}

/// Where the file system is mounted that `path` lies on, or the directory where it would be made.
pub fn mount_point(path: &Path) -> Option<PathBuf> {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    Some(mount_of(&String::from_utf8_lossy(&mounts), &resolve(path)?)?.point)
}

/// One line of `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Where it is mounted.
    point: PathBuf,
    /// `MAJOR:MINOR`; a major of 0 is no block device.
    device: String,
    file_system: String,
    /// What was mounted, such as `/dev/sda1`.
    source: String,
}

/// The mount that `path` lies in: the innermost, and of several at one place the last, which hides the others.
fn mount_of(mounts: &str, path: &Path) -> Option<Mount> {
    let mut best: Option<(usize, Mount)> = None;
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let mut before = before.split(' ').skip(2);
        let (Some(device), Some(_root), Some(point)) = (before.next(), before.next(), before.next()) else {
            continue;
        };
        let point = PathBuf::from(unescape(point));
        let depth = point.components().count();
        if !path.starts_with(&point) || best.as_ref().is_some_and(|(deepest, _)| depth < *deepest) {
            continue;
        }
        let mut after = after.split(' ');
        let (Some(file_system), Some(source)) = (after.next(), after.next()) else { continue };
        let mount = Mount {
            point,
            device: device.to_owned(),
            file_system: file_system.to_owned(),
            source: unescape(source),
        };
        best = Some((depth, mount));
    }
    best.map(|(_, mount)| mount)
}

/// Undoes the escapes of mountinfo: space, tab, newline and backslash are written as `\` and three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

/// The device in sysfs; through its node where the file system (btrfs) has a number of its own.
fn block_directory(mount: &Mount) -> Option<PathBuf> {
    let directory = |number: &str| fs::canonicalize(Path::new("/sys/dev/block").join(number)).ok();
    directory(&mount.device).or_else(|| {
        let node = fs::metadata(&mount.source).ok().filter(|_| mount.source.starts_with("/dev/"))?.rdev();
        directory(&format!("{}:{}", rustix::fs::major(node), rustix::fs::minor(node)))
    })
}

/// The request queue of a device; a partition uses that of its disk.
fn queue_directory(device: &Path) -> Option<PathBuf> {
    [Some(device), device.parent()].into_iter().flatten().map(|d| d.join("queue")).find(|d| d.is_dir())
}

/// The scheduler in use of a list such as `none [mq-deadline]`.
fn chosen(line: &str) -> &str {
    let bracketed = line.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    bracketed.map_or(line, |(name, _)| name)
}

fn read_line(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The real path of `path`, or of the innermost directory around it that exists.
fn resolve(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok()?.ancestors().find_map(|ancestor| ancestor.canonicalize().ok())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{chosen, facts, mount_of, queue_directory};

    const MOUNTS: &str = "\
21 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
22 21 0:5 / /proc rw shared:1 - proc proc rw
23 21 0:30 / /data/my\\040disk rw - tmpfs tmpfs rw
24 21 0:31 /sub /data rw - btrfs /dev/sdb rw
25 21 0:40 / /proc rw - fuse.x x rw
not a mount
26 21 8:1 / /database rw";

    #[test]
    fn the_innermost_last_mount_counts() {
        let check = |path: &str, file_system: &str, device: &str| {
            let mount = mount_of(MOUNTS, Path::new(path)).unwrap();
            assert!(
                Path::new(path).starts_with(&mount.point) && !mount.point.ends_with("my\\040disk"),
                "{path}"
            );
            assert_eq!((&mount.file_system[..], &mount.device[..]), (file_system, device), "{path}");
        };
        check("/", "ext4", "254:1");
        check("/home/x", "ext4", "254:1");
        check("/data", "btrfs", "0:31");
        check("/data/my disk/a", "tmpfs", "0:30");
        check("/data/my", "btrfs", "0:31");
        check("/database", "ext4", "254:1");
        check("/proc/self", "fuse.x", "0:40");
        assert_eq!(mount_of("", Path::new("/")), None);
        assert_eq!(mount_of(MOUNTS, Path::new("relative")), None);
    }

    #[test]
    fn schedulers() {
        for (line, expected) in [
            ("none", "none"),
            ("[none] kyber", "none"),
            ("none [mq-deadline] bfq", "mq-deadline"),
            ("[", "["),
        ] {
            assert_eq!(chosen(line), expected);
        }
    }

    #[test]
    fn a_partition_has_the_queue_of_its_disk() {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("sda");
        std::fs::create_dir_all(disk.join("queue")).unwrap();
        std::fs::create_dir_all(disk.join("sda1")).unwrap();
        assert_eq!(queue_directory(&disk), Some(disk.join("queue")));
        assert_eq!(queue_directory(&disk.join("sda1")), Some(disk.join("queue")));
        assert_eq!(queue_directory(&disk.join("sda1/none")), None);
    }

    #[test]
    fn unknown_facts_are_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(facts(&dir.path().join("not/there")), facts(dir.path()));
        assert_eq!(facts(Path::new("/proc")).block_device, None);
        let none = super::DeviceFacts::default().to_string();
        assert_eq!(none.matches("unknown").count(), 5, "{none}");
    }
}
