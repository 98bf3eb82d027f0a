//! Boots a kernel with an initial file system, passes on what the guest prints, and ends it in any case.
//!
//! The guest's `init` is `tests/vm/init`: it mounts what tracing needs, runs `/command`, and turns the machine off. Three serial ports
//! lead out: the kernel's messages, what the command prints, and its exit status.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::Kernel;
use super::fetch::{self, FetchError};
use super::image::Image;
use crate::arch::Arch;

/// The program that the kernel starts.
const INIT: &str = include_str!("../../vm/init");
/// Memory of a guest besides its files, in mebibytes.
const MEMORY: u64 = 768;
/// The kernel's parameters: quiet, and any trouble ends the machine (QEMU runs with `-no-reboot`).
const PARAMETERS: &str = "quiet panic=-1 oops=panic mitigations=off no_timer_check random.trust_cpu=on";
/// How many bytes of the kernel's messages an error shows, from the end.
const SHOWN_MESSAGES: usize = 4000;

/// Why a guest did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// A part of the machine is missing.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A file could not be read or written, or the emulator not be started.
    #[error("the virtual machine could not be prepared: {0}")]
    Io(#[from] io::Error),
    /// The command took too long.
    #[error("the virtual machine was ended after {} s; the kernel's last messages:\n{messages}", limit.as_secs())]
    Timeout {
        /// The time it had.
        limit: Duration,
        /// What the kernel said last.
        messages: String,
    },
    /// The guest ended without telling a status.
    #[error("the kernel stopped, or the emulator did; its last messages:\n{0}")]
    Died(String),
}

/// Boots `kernel` with `image`, to which the shell, `init` and `/command` with this text are added; each line that the command prints
/// goes to `line`. Returns the command's exit status. `parameters` are told to the kernel besides the usual ones; `work` is a folder for
/// the files of this boot.
pub fn boot(
    kernel: &Kernel,
    parameters: &[&str],
    mut image: Image,
    command: &str,
    limit: Duration,
    work: &Path,
    mut line: impl FnMut(&str),
) -> Result<u8, BootError> {
    let vmlinuz = fetch::kernel(kernel)?;
    let emulator = fetch::emulator(kernel.arch)?;
    image.copy(&fetch::busybox(kernel.arch)?, "/bin/busybox")?;
    image.text("/init", INIT, 0o755);
    image.text("/command", command, 0o755);
    // The kernel opens the first for init, before init can mount anything.
    image.device("/dev/console", 5, 1);
    image.device("/dev/null", 1, 3);
    let (archive, messages, status) = (work.join("image"), work.join("messages"), work.join("status"));
    let size = image.write(&archive)?;

    let mut qemu = emulator.command();
    machine(&mut qemu, kernel.arch, parameters, &messages, &status);
    // The archive and the files unpacked from it are in memory together for a moment, and the root file system may fill half of it.
    qemu.arg("-m").arg((MEMORY + 3 * (size >> 20)).to_string()).arg("-smp").arg("1");
    qemu.arg("-kernel").arg(&vmlinuz).arg("-initrd").arg(&archive);
    qemu.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut guest = Guest(qemu.spawn()?);
    let said = || {
        let bytes = fs::read(&messages).unwrap_or_default();
        let from = bytes.len().saturating_sub(SHOWN_MESSAGES);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    };
    let output = guest.0.stdout.take().ok_or_else(|| io::Error::other("the emulator has no output"))?;
    if !relay(output, limit, &mut line) {
        return Err(BootError::Timeout { limit, messages: said() });
    }
    guest.0.wait()?;
    let status = fs::read_to_string(&status).unwrap_or_default();
    status.trim().parse().map_err(|_| BootError::Died(said()))
}

/// The options that depend on the architecture, and the three serial ports.
fn machine(qemu: &mut Command, arch: Arch, parameters: &[&str], messages: &Path, status: &Path) {
    qemu.args(["-nodefaults", "-display", "none", "-no-reboot", "-accel", "tcg"]);
    let (cpu, console) = match arch {
        Arch::Amd64 => ("max", "ttyS0"),
        Arch::Arm64 => {
            qemu.args(["-machine", "virt"]);
            ("cortex-a72", "ttyAMA0")
        }
    };
    let parameters = parameters.join(" ");
    qemu.args(["-cpu", cpu, "-append", &format!("console={console} {PARAMETERS} {parameters}")]);
    qemu.arg("-serial").arg(format!("file:{}", messages.display()));
    for (name, path) in [("output", Path::new("/dev/stdout")), ("status", status)] {
        qemu.arg("-chardev").arg(format!("file,id={name},path={}", path.display()));
        match arch {
            Arch::Amd64 => qemu.arg("-serial").arg(format!("chardev:{name}")),
            Arch::Arm64 => qemu.arg("-device").arg(format!("pci-serial,chardev={name}")),
        };
    }
}

/// Passes lines on until the output is closed; false if that takes longer than `limit`.
fn relay(output: ChildStdout, limit: Duration, line: &mut impl FnMut(&str)) -> bool {
    let deadline = Instant::now() + limit;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(text) => line(&text),
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// The running emulator. Dropping it ends it.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        // Errors mean that it has ended by itself.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}
