//! The machine that measures, as a result has to state it.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use zarrange_io::device::{DeviceFacts, facts};

/// What is known of the machine and of the device below a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// Memory of the machine in bytes.
    pub memory_bytes: u64,
    /// File system, device, read-ahead, scheduler and kernel, as text.
    pub device: String,
}

impl Machine {
    /// This machine, and the device below `path`.
    pub fn here(path: &Path) -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let device: DeviceFacts = facts(path);
        Self {
            processor: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_bytes: field(&meminfo, "MemTotal")
                .and_then(|kib| kib.split_whitespace().next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib * 1024),
            device: device.to_string(),
        }
    }
}

/// The value of the first line `name : value`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim()))
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gibibytes = self.memory_bytes >> 30;
        write!(f, "{}, {} processors, {gibibytes} GiB; {}", self.processor, self.processors, self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_files() {
        assert_eq!(field("MemTotal:       24 kB\nMemFree: 1 kB", "MemTotal"), Some("24 kB"));
        assert_eq!(field("vendor : x\nmodel name\t: AMD EPYC", "model name"), Some("AMD EPYC"));
        assert_eq!(field("a: b", "c"), None);
    }
}
