//! The program that gotrace is compared with: the bpftrace of the distribution, or the command in `GOTRACE_PEER`.

use std::error::Error;
use std::process::Command;

use harness::bpftrace;
use harness::debian;
use harness::run::checked;

/// The program that we compare with.
pub struct Peer {
    /// Name and version, as it tells them.
    pub name: String,
    /// Its command line, without arguments. A wrapper must become it (`exec`): programs are found by the process that is
    /// started, and signals go to that.
    pub command: Vec<String>,
}

impl Peer {
    /// Finds it, and asks for its version.
    pub fn find() -> Result<Peer, Box<dyn Error>> {
        let command: Vec<String> = match bpftrace::peer() {
            Some(named) => named,
            None => {
                debian::install(&[("bpftrace", "bpftrace")])?;
                vec!["bpftrace".to_owned()]
            }
        };
        let (program, args) = command.split_first().ok_or("GOTRACE_PEER is empty")?;
        let version = checked(Command::new(program).args(args).arg("--version"))?;
        Ok(Peer { name: version.lines().next().unwrap_or("bpftrace").trim().to_owned(), command })
    }

    /// A command that runs it.
    pub fn command(&self) -> Command {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().map_or("bpftrace", String::as_str));
        command.args(words);
        command
    }
}
