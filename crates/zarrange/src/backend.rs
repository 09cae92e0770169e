//! Which backend does the I/O: the one place that decides.
#![expect(unsafe_code, reason = "the promise that the mmap backend asks for is given here")]

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use zarrange_io::{IoError, Opener, STD_THREADS};

use crate::args::{Args, BackendArg, IoArgs};

/// The opener for the arguments of a command.
pub(crate) fn opener(args: IoArgs) -> Result<Opener, IoError> {
    let opener = match args.backend {
        BackendArg::Auto => Opener::auto()?,
        BackendArg::Std => Opener::std_pool(STD_THREADS)?,
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
    Ok(opener.direct(args.direct))
}
