//! Running programs with a time limit, and ending what was started.
//!
//! [`checked`] is for tools that just have to work (apt, go, gcc). [`Running`] is for the programs under test: it
//! collects what they print, waits for a text, sends signals, and ends them and their children whatever happens.
//! [`gotrace`] finds the binary under test. Nothing here judges output; that is [`crate::judge`].

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use regex_lite::Regex;

/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);
/// How long the children of an ended program may take to follow it.
const GRACE: Duration = Duration::from_secs(2);

/// A tool that could not be started or that failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The program could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// The program ran and reported failure.
    #[error("`{command}` failed ({status}):\n{output}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed, the last lines of it.
        output: String,
    },
}

/// Runs a tool to its end and returns its standard output; its messages are part of the error when it fails.
pub fn checked(command: &mut Command) -> Result<String, ToolError> {
    let line = command_line(command);
    let result = command.stdin(Stdio::null()).output();
    let output = result.map_err(|source| ToolError::Start { command: line.clone(), source })?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let all = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = all.lines().collect();
    let last = lines.get(lines.len().saturating_sub(25)..).unwrap_or_default().join("\n");
    Err(ToolError::Failed { command: line, status: output.status, output: last })
}

/// The command as one would type it, for messages.
pub fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The gotrace binary under test: `$GOTRACE`, else the one beside the running test in cargo's target folder.
pub fn gotrace() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("GOTRACE") {
        let path = PathBuf::from(named);
        return if path.is_file() { Ok(path) } else { Err(format!("GOTRACE={} is no file", path.display())) };
    }
    let here = std::env::current_exe().map_err(|e| format!("the test does not know its own place: {e}"))?;
    let found = here.ancestors().skip(1).map(|dir| dir.join("gotrace")).find(|path| path.is_file());
    found.ok_or_else(|| "gotrace is not built: `cargo build -p gotrace`, or name it in GOTRACE".to_owned())
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Not in the given time: the harness ended it.
    Timeout,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Code(code) => write!(f, "exit code {code}"),
            End::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "{signal}"),
                Err(_) => write!(f, "signal {number}"),
            },
            End::Timeout => write!(f, "timeout"),
        }
    }
}

/// What a program printed and how it ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// How it ended.
    pub end: End,
    /// Whether processes of its group outlived it; the harness then ended them.
    pub left_processes: bool,
    /// From start to end.
    pub wall: Duration,
}

/// A started program, leader of its own process group. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    printed: Arc<Printed>,
    started: Instant,
    ended: bool,
}

/// The two output streams as collected so far.
#[derive(Debug, Default)]
struct Printed {
    text: Mutex<Streams>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Streams {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    open: u8,
}

impl Printed {
    fn lock(&self) -> MutexGuard<'_, Streams> {
        // A reader thread that panicked leaves whole bytes behind: the text is still good.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Starts `command` with `stdin` as its standard input.
    pub fn start(command: &mut Command, stdin: &str) -> Result<Running, ToolError> {
        let line = command_line(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let started = Instant::now();
        let mut child = command.spawn().map_err(|source| ToolError::Start { command: line, source })?;
        let printed = Arc::new(Printed::default());
        if let Some(mut input) = child.stdin.take() {
            let text = stdin.to_owned();
            // A program may end without reading its input: that write error is no fault of the test.
            thread::spawn(move || input.write_all(text.as_bytes()));
        }
        if let Some(stream) = child.stdout.take() {
            collect(stream, Arc::clone(&printed), |streams| &mut streams.stdout);
        }
        if let Some(stream) = child.stderr.take() {
            collect(stream, Arc::clone(&printed), |streams| &mut streams.stderr);
        }
        Ok(Running { child, printed, started, ended: false })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until either stream matches `pattern`; false when the time is over or both streams are closed.
    pub fn wait_for(&self, pattern: &Regex, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut streams = self.printed.lock();
        loop {
            let matches = |bytes: &[u8]| pattern.is_match(&String::from_utf8_lossy(bytes));
            if matches(&streams.stdout) || matches(&streams.stderr) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || streams.open == 0 {
                return false;
            }
            let waited = self.printed.changed.wait_timeout(streams, left);
            streams = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
    }

    /// What it has written to standard output so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().stdout).into_owned()
    }

    /// Sends a signal to the program alone; an error means that it has ended.
    pub fn signal(&self, signal: Signal) -> Result<(), nix::Error> {
        kill(self.pid(), signal)
    }

    /// Sends a signal to the program and all that it started, as a terminal does; an error means that all have ended.
    pub fn signal_group(&self, signal: Signal) -> Result<(), nix::Error> {
        killpg(self.pid(), signal)
    }

    /// Waits for the end, at most until `limit` after the start, and collects everything.
    pub fn finish(mut self, limit: Duration) -> Result<Outcome, ToolError> {
        let status = loop {
            let asked = self.child.try_wait();
            match asked.map_err(|source| ToolError::Start { command: "wait".to_owned(), source })? {
                Some(status) => break Some(status),
                None if self.started.elapsed() > limit => break None,
                None => thread::sleep(POLL),
            }
        };
        let wall = self.started.elapsed();
        let end = match status {
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => End::Code(code),
                (None, signal) => End::Signal(signal.unwrap_or_default()),
            },
            None => End::Timeout,
        };
        let left_processes = status.is_some() && !self.group_ends_by_itself();
        self.kill_group();
        self.ended = true;
        let deadline = Instant::now() + GRACE;
        let mut streams = self.printed.lock();
        while streams.open > 0 && Instant::now() < deadline {
            let waited = self.printed.changed.wait_timeout(streams, POLL);
            streams = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&streams.stdout), text(&streams.stderr));
        Ok(Outcome { stdout, stderr, end, left_processes, wall })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Whether no process of the group is left after the leader's end, within a grace period.
    fn group_ends_by_itself(&self) -> bool {
        let deadline = Instant::now() + GRACE;
        while group_lives(self.child.id()) {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }

    /// Ends the group and reaps the leader. Errors mean that there is nothing left to end.
    fn kill_group(&mut self) {
        let _gone = killpg(self.pid(), Signal::SIGKILL);
        let _reaped = self.child.wait();
    }
}

/// Whether a process of this group still runs. Zombies do not count: a container's init may never reap them, so asking
/// with signal 0 would find a group that has long ended.
fn group_lives(group: u32) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes.filter_map(Result::ok).any(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // After the name in parentheses, which may hold anything: state, parent, group (proc_pid_stat(5)).
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, in_group) = (fields.next(), fields.nth(1));
        in_group.and_then(|g| g.parse().ok()) == Some(group) && !matches!(state, Some("Z" | "X"))
    })
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.kill_group();
        }
    }
}

/// Reads a stream to its end on a thread of its own.
fn collect(
    mut stream: impl Read + Send + 'static,
    printed: Arc<Printed>,
    place: impl Fn(&mut Streams) -> &mut Vec<u8> + Send + 'static,
) {
    printed.lock().open += 1;
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            place(&mut printed.lock()).extend_from_slice(buffer.get(..n).unwrap_or_default());
            printed.changed.notify_all();
        }
        printed.lock().open -= 1;
        printed.changed.notify_all();
    });
}

/// Starts `command`, waits for its end at most `limit`, and collects everything.
pub fn run(command: &mut Command, limit: Duration) -> Result<Outcome, ToolError> {
    Running::start(command, "")?.finish(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]);
        sh
    }

    #[test]
    fn streams_and_codes_are_kept_apart() -> Result<(), ToolError> {
        let outcome = run(&mut sh("echo out; echo err >&2; exit 3"), Duration::from_secs(10))?;
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(outcome.end, End::Code(3));
        assert!(!outcome.left_processes);
        Ok(())
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() -> Result<(), ToolError> {
        let outcome = run(&mut sh("echo $$; sleep 60 & sleep 60"), Duration::from_millis(200))?;
        assert_eq!(outcome.end, End::Timeout);
        let group = outcome.stdout.trim().parse().unwrap_or(0);
        thread::sleep(Duration::from_millis(100));
        assert!(group > 1 && !group_lives(group));
        Ok(())
    }

    #[test]
    fn left_children_are_reported() -> Result<(), ToolError> {
        let outcome = run(&mut sh("sleep 60 >/dev/null 2>&1 & exit 0"), Duration::from_secs(10))?;
        assert!(outcome.left_processes);
        Ok(())
    }

    #[test]
    fn a_signal_is_sent_when_a_text_was_seen() -> Result<(), Box<dyn std::error::Error>> {
        let running = Running::start(&mut sh("echo ready; exec sleep 60"), "")?;
        assert!(running.wait_for(&Regex::new("ready")?, Duration::from_secs(10)));
        running.signal(Signal::SIGTERM)?;
        assert_eq!(running.finish(Duration::from_secs(10))?.end, End::Signal(15));
        Ok(())
    }

    #[test]
    fn failing_tools_tell_their_command_line_and_messages() {
        let error = checked(&mut sh("echo no luck >&2; exit 2")).map_err(|e| e.to_string());
        let text = error.err().unwrap_or_default();
        assert!(text.contains("'echo no luck >&2; exit 2'") && text.contains("\nno luck"), "{text}");
    }
}
