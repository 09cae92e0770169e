//! How this program is started again, and the command beside it: by files that are executed, or through an interpreter that is.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;

/// What starts `zarrange-bench` and `zarrange`: the beginnings of their command lines.
#[derive(Clone, Debug)]
pub struct Program {
    /// `zarrange-bench`, to which its arguments are added. It is not empty.
    pub bench: Vec<OsString>,
    /// `zarrange`, if there is one.
    pub zarrange: Option<Vec<OsString>>,
}

impl Program {
    /// The file that this process executes, and `zarrange` beside it.
    ///
    /// # Errors
    /// If the system does not tell which file that is.
    pub fn this() -> io::Result<Self> {
        let bench = std::env::current_exe()?;
        let zarrange = bench.with_file_name("zarrange");
        let zarrange = zarrange.exists().then(|| vec![zarrange.into()]);
        Ok(Self { bench: vec![bench.into()], zarrange })
    }

    /// Another `zarrange-bench`: a file.
    pub fn at(path: &Path) -> Self {
        Self { bench: vec![path.into()], zarrange: None }
    }

    /// Starts `zarrange-bench`.
    pub(crate) fn bench(&self) -> Command {
        start(&self.bench)
    }

    /// Starts `zarrange`, if there is one.
    pub(crate) fn zarrange(&self) -> Option<Command> {
        self.zarrange.as_deref().map(start)
    }
}

/// The command that a line begins.
fn start(line: &[OsString]) -> Command {
    let (program, arguments) = line.split_first().map_or((OsString::new(), &[][..]), |(p, a)| (p.clone(), a));
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
