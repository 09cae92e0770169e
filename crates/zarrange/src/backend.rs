//! Which backend does the I/O: the one place that decides.
#![expect(unsafe_code, reason = "the promise that the mmap backend asks for is given here")]

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use zarrange_io::{IoError, Location, Opener, STD_THREADS};

use crate::args::{Args, BackendArg, IoArgs};
use crate::out::{self, detail};
use crate::signals;

/// Lets this process have as many descriptors as it may: with many threads on many small files, the usual 1,024 are few. Where
/// it may not, openings wait for each other.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// The opener for the arguments of a command.
pub(crate) fn opener(args: IoArgs) -> Result<Opener, IoError> {
    let opener = match args.backend {
        BackendArg::Auto => Opener::auto(),
        BackendArg::Std => Opener::std_pool(STD_THREADS),
        BackendArg::IoUring => Opener::io_uring()?,
        BackendArg::Mmap if args.direct => {
            let reason =
                "mmap reads through the page cache: leave out --direct, or use --backend std or io_uring";
            Args::command().error(ErrorKind::ArgumentConflict, reason).exit()
        }
        // SAFETY: who asks for mmap by name is told (in the help) that the files must not change meanwhile; what the
        // engine itself writes is read through mappings only once it is complete.
        BackendArg::Mmap => unsafe { Opener::mmap() },
    };
    let opener = opener.direct(args.direct).stopped_by(signals::stop());
    if out::is_verbose()
        && let Ok(here) = opener.open(&Location::Path(".".into()))
    {
        let past = if args.direct { ", past the page cache" } else { "" };
        detail!("backend: {} for local files{past}", here.backend());
    }
    Ok(opener)
}
