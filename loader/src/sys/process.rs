//! The child that `-c` starts: forked early, so that probes can be attached to its process id, and held before `exec`
//! until they are.
//!
//! [`std::process::Command`] cannot do this, because it waits in the parent for the child's `exec`.

use super::{check, signal};
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Exit code of a child whose program could not be executed, as in shells.
const NOT_EXECUTED: i32 = 127;
/// Lets the child run its program.
const RUN: u8 = 1;
/// Lets it execute its program and stop before the first instruction.
const STOP: u8 = 2;
/// How long a child may take to end after `SIGTERM` before it gets `SIGKILL`.
const PATIENCE: Duration = Duration::from_secs(2);

/// A child process, held or running. Dropping it ends it.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    pidfd: OwnedFd,
    program: PathBuf,
    /// A byte through it lets the child go, [`RUN`] or [`STOP`]; closing it without one makes the child exit. `None` once it runs.
    gate: Option<PipeWriter>,
    /// Through it come a byte, which tells whether the child will stop at its program's start, and the error number of a
    /// failed `exec`; a successful one closes it.
    report: PipeReader,
    status: Option<ExitStatus>,
}

impl Child {
    /// Forks a child that will run `arguments` (the first is the program, searched in `PATH`) when it is released.
    ///
    /// # Errors
    /// The program is not found or is not executable, an argument has a NUL byte, or a system call fails.
    pub fn start(arguments: &[OsString]) -> io::Result<Child> {
        let program = arguments.first().ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        let program = find(program)?;
        let path = CString::new(program.as_os_str().as_bytes())?;
        let argv = arguments.iter().map(|a| CString::new(a.as_bytes())).collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<_> = argv.iter().map(|a| a.as_ptr()).collect();
        pointers.push(std::ptr::null());
        let (held, gate) = io::pipe()?;
        let (report, told) = io::pipe()?;
        // SAFETY: the child calls async-signal-safe functions only (see `run_child`), on memory made before the fork, and
        // never returns into the caller's code.
        let pid = match check(unsafe { libc::fork() }.into())? {
            0 => {
                // In the child our end of the gate must be closed, or it would wait for itself.
                drop(gate);
                // SAFETY: `path` and the arguments are NUL-terminated, and the list ends with a null pointer.
                unsafe { run_child(held.as_raw_fd(), told.as_raw_fd(), &path, &pointers) }
            }
            pid => pid as u32,
        };
        drop((held, told));
        match signal::pidfd(pid) {
            Ok(pidfd) => Ok(Child { pid, pidfd, program, gate: Some(gate), report, status: None }),
            Err(e) => {
                // A child whose gate is closed exits by itself.
                drop(gate);
                reap(pid, 0)?;
                Err(e)
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Path of the program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Lets it run its program and waits until it does.
    ///
    /// # Errors
    /// The program could not be executed; the child has ended then.
    pub fn release(&mut self) -> io::Result<()> {
        self.let_go(RUN).map(drop)
    }

    /// The same; `look` is called when the program is in memory and has not run one instruction yet. Where tracing a child (`ptrace(2)`)
    /// is not allowed, it is called when the program runs, which is as soon as can be.
    ///
    /// # Errors
    /// As [`Child::release`].
    pub fn release_at_start(&mut self, look: impl FnOnce()) -> io::Result<()> {
        let stopped = self.let_go(STOP)? && self.wait_for_start()?;
        look();
        if stopped { ptrace(libc::PTRACE_DETACH, self.pid, 0) } else { Ok(()) }
    }

    /// The same; `look` is called once more when the program's dynamic linker is done and the program itself begins, where the
    /// processor can be told to stop there.
    ///
    /// # Errors
    /// As [`Child::release`].
    pub fn release_at_entry(&mut self, mut look: impl FnMut()) -> io::Result<()> {
        let stopped = self.let_go(STOP)? && self.wait_for_start()?;
        look();
        if !stopped {
            return Ok(());
        }
        if entry::stop_at(self.pid, entry::address(self.pid).unwrap_or(0)) {
            ptrace(libc::PTRACE_CONT, self.pid, 0)?;
            if !self.wait_for_start()? {
                return Ok(());
            }
            entry::forget_stop(self.pid);
            look();
        }
        ptrace(libc::PTRACE_DETACH, self.pid, 0)
    }

    /// Opens the gate and waits until the program is executed. Gives whether the child stops at its start.
    fn let_go(&mut self, how: u8) -> io::Result<bool> {
        let Some(mut gate) = self.gate.take() else { return Ok(false) };
        match gate.write_all(&[how]) {
            // It was ended while it was held; whoever waits for it finds out.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            result => result?,
        }
        drop(gate);
        let mut told = Vec::new();
        self.report.read_to_end(&mut told)?;
        match told.split_first() {
            Some((&stops, [])) => Ok(stops != 0),
            Some((_, code)) => {
                let code = code.try_into().map(i32::from_ne_bytes);
                Err(code.map_or_else(|_| io::ErrorKind::UnexpectedEof.into(), io::Error::from_raw_os_error))
            }
            // It was ended before it came to that.
            None => Ok(false),
        }
    }

    /// Waits for the stop at the program's start; false when the child has ended instead.
    fn wait_for_start(&mut self) -> io::Result<bool> {
        loop {
            let Some(status) = reap(self.pid, 0)? else { continue };
            match status.stopped_signal() {
                // The stop behind a successful execve(2), see ptrace(2).
                Some(libc::SIGTRAP) => return Ok(true),
                // Another one, sent meanwhile: it is delivered.
                Some(signal) => ptrace(libc::PTRACE_CONT, self.pid, signal)?,
                None => {
                    self.status = Some(status);
                    return Ok(false);
                }
            }
        }
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// As `waitpid(2)`.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = reap(self.pid, libc::WNOHANG)?;
        }
        Ok(self.status)
    }

    /// Ends it, first kindly, and waits for it.
    ///
    /// # Errors
    /// As the system calls.
    pub fn terminate(&mut self) -> io::Result<ExitStatus> {
        // A held child exits when its gate closes.
        if self.gate.take().is_none() && self.try_wait()?.is_none() {
            signal::send(self.pidfd.as_fd(), libc::SIGTERM)?;
        }
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            let Some(left) = patience.checked_duration_since(Instant::now()) else { break };
            wait_readable(self.pidfd.as_fd(), left)?;
        }
        signal::send(self.pidfd.as_fd(), libc::SIGKILL)?;
        let status = reap(self.pid, 0)?;
        self.status = status;
        status.ok_or_else(|| io::Error::from_raw_os_error(libc::ECHILD))
    }
}

/// Readable when the child has ended.
impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.terminate();
        }
    }
}

fn wait_readable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    let set = super::epoll::Epoll::new()?;
    set.add(fd, 0)?;
    set.wait(Some(timeout)).map(|_| ())
}

/// What the child does: waits at the gate, runs the program, reports why it could not.
///
/// # Safety
/// `path` and the elements of `argv` are NUL-terminated and `argv` ends with a null pointer. To be called only in a
/// forked child: it never returns.
unsafe fn run_child(held: i32, report: i32, path: &CString, argv: &[*const libc::c_char]) -> ! {
    signal::reset_for_exec();
    let mut byte = 0u8;
    // SAFETY: read, ptrace, execv, write and _exit are async-signal-safe and get valid memory; `errno` belongs to this thread.
    unsafe {
        if libc::read(held, (&raw mut byte).cast(), 1) != 1 {
            libc::_exit(NOT_EXECUTED);
        }
        let stops = u8::from(byte == STOP && libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == 0);
        libc::write(report, (&raw const stops).cast(), 1);
        libc::execv(path.as_ptr(), argv.as_ptr());
        let code = (*libc::__errno_location()).to_ne_bytes();
        libc::write(report, code.as_ptr().cast(), code.len());
        libc::_exit(NOT_EXECUTED)
    }
}

/// `ptrace(2)` of a stopped child, with the signal that it goes on with; 0 for none.
fn ptrace(request: libc::c_uint, pid: u32, signal: i32) -> io::Result<()> {
    // SAFETY: these requests take a number as data and no address.
    let result = unsafe { libc::ptrace(request, pid.cast_signed(), 0, signal) };
    match check(result) {
        // It was killed while it stood: whoever waits for it finds out.
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        result => result.map(drop),
    }
}

/// The first instruction of the program of a stopped child, behind its dynamic linker.
mod entry {
    use std::io;

    /// The kernel's word for the address in the auxiliary vector (`AT_ENTRY`, include/uapi/linux/auxvec.h).
    const AT_ENTRY: u64 = 9;

    /// Its address.
    pub fn address(pid: u32) -> io::Result<u64> {
        let bytes = std::fs::read(format!("/proc/{pid}/auxv"))?;
        let words: Vec<u64> = bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let found = words.as_chunks().0.iter().find(|[what, _]| *what == AT_ENTRY);
        found.map(|[_, address]| *address).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Makes the processor stop the child at an address, by a debug register, which leaves the program's memory as it is. Gives
    /// whether that will happen.
    #[cfg(target_arch = "x86_64")]
    pub fn stop_at(pid: u32, address: u64) -> bool {
        /// Register 0 is used by this task, for the execution of an instruction (Intel's manual, volume 3, "Debug Registers").
        const EXECUTE_0: u64 = 1;
        address != 0 && set(pid, 0, address) && set(pid, 7, EXECUTE_0)
    }

    /// Takes back [`stop_at`].
    #[cfg(target_arch = "x86_64")]
    pub fn forget_stop(pid: u32) {
        set(pid, 7, 0);
        set(pid, 0, 0);
    }

    #[cfg(target_arch = "x86_64")]
    fn set(pid: u32, register: usize, value: u64) -> bool {
        let at = std::mem::offset_of!(libc::user, u_debugreg) + register * size_of::<u64>();
        // SAFETY: the request takes an offset and a number, no address of ours.
        let result = unsafe { libc::ptrace(libc::PTRACE_POKEUSER, pid.cast_signed(), at, value) };
        result == 0
    }

    /// Makes the processor stop the child at an address, by a debug register, which leaves the program's memory as it is. Gives
    /// whether that will happen.
    #[cfg(target_arch = "aarch64")]
    pub fn stop_at(pid: u32, address: u64) -> bool {
        /// Four bytes (0xf << 5), of user code (2 << 1), watched (1): `DBGBCR_EL1` of the Arm Architecture Reference Manual.
        const EXECUTE_IN_USER_CODE: u32 = 0x1e5;
        address != 0 && set(pid, address, EXECUTE_IN_USER_CODE)
    }

    /// Takes back [`stop_at`].
    #[cfg(target_arch = "aarch64")]
    pub fn forget_stop(pid: u32) {
        set(pid, 0, 0);
    }

    /// Sets the first breakpoint register.
    #[cfg(target_arch = "aarch64")]
    fn set(pid: u32, address: u64, control: u32) -> bool {
        /// The start of `struct user_hwdebug_state` (arch/arm64/include/uapi/asm/ptrace.h).
        #[repr(C)]
        struct First {
            info: u32,
            pad: u32,
            address: u64,
            control: u32,
            pad_behind: u32,
        }
        /// `NT_ARM_HW_BREAK` (include/uapi/linux/elf.h).
        const BREAKPOINTS: libc::c_int = 0x402;
        let mut state = First { info: 0, pad: 0, address, control, pad_behind: 0 };
        let mut vector = libc::iovec { iov_base: (&raw mut state).cast(), iov_len: size_of::<First>() };
        // SAFETY: the vector describes `state`, which the kernel only reads, for the time of the call.
        let result =
            unsafe { libc::ptrace(libc::PTRACE_SETREGSET, pid.cast_signed(), BREAKPOINTS, &raw mut vector) };
        result == 0
    }
}

/// `waitpid(2)`; `None` when the child has not ended (with `WNOHANG`).
fn reap(pid: u32, flags: i32) -> io::Result<Option<ExitStatus>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a valid place for the result.
        let result = unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, flags) };
        match check(result.into()) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(ExitStatus::from_raw(status))),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The file that a command name means: itself with a slash in it, else the first executable one in `PATH`.
fn find(name: &OsStr) -> io::Result<PathBuf> {
    let executable = |path: &Path| -> io::Result<()> {
        let meta = path.metadata()?;
        let denied = meta.is_dir() || meta.permissions().mode() & 0o111 == 0;
        if denied { Err(io::Error::from_raw_os_error(libc::EACCES)) } else { Ok(()) }
    };
    if name.as_bytes().contains(&b'/') {
        executable(Path::new(name))?;
        return Ok(name.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut error = io::Error::from_raw_os_error(libc::ENOENT);
    for folder in path.into_vec().split(|b| *b == b':') {
        let folder = if folder.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(folder) };
        let candidate = Path::new(folder).join(name);
        match executable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => error = e,
            Err(_) => {}
        }
    }
    Err(error)
}

/// The threads that a process has now; the process itself if they cannot be listed.
pub fn threads(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_dir(format!("/proc/{pid}/task"));
    let ids: Vec<u32> = listed
        .map(|dir| dir.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    if ids.is_empty() { vec![pid] } else { ids }
}

/// The process that `-p` names: becomes readable when it ends.
///
/// # Errors
/// As [`signal::pidfd`].
pub fn watch(pid: u32) -> io::Result<OwnedFd> {
    signal::pidfd(pid)
}

/// The process that a thread belongs to, if there is a thread with that id.
#[must_use]
pub fn process_of(thread: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
}

/// Whether it is a thread of the kernel, which runs no program. (`PF_KTHREAD` of include/linux/sched.h in the flags of
/// `/proc/PID/stat`)
#[must_use]
pub fn is_kernel_thread(pid: u32) -> bool {
    const PF_KTHREAD: u32 = 0x0020_0000;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may have anything in it: state, parent, group, session, terminal, its group, flags.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let flags = fields.split_whitespace().nth(6).and_then(|f| f.parse::<u32>().ok());
    flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// Raises the soft limit of open files to the hard one, and gives that: links and perf events take a descriptor each.
///
/// # Errors
/// As the system calls.
pub fn raise_file_limit() -> io::Result<u64> {
    raise_limit(|limit| limit.rlim_cur = limit.rlim_max, libc::RLIMIT_NOFILE)
}

/// Lifts the limit of locked memory, which kernels before 5.11 charge maps to.
///
/// # Errors
/// As the system calls; newer kernels do not need it, so that an error can be ignored.
pub fn lift_memory_limit() -> io::Result<u64> {
    let lift = |limit: &mut libc::rlimit| {
        limit.rlim_cur = libc::RLIM_INFINITY;
        limit.rlim_max = libc::RLIM_INFINITY;
    };
    raise_limit(lift, libc::RLIMIT_MEMLOCK)
}

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// Changes a limit, and gives the soft one.
fn raise_limit(change: impl Fn(&mut libc::rlimit), resource: Resource) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the result.
    check(unsafe { libc::getrlimit(resource, &raw mut limit) }.into())?;
    change(&mut limit);
    // SAFETY: `limit` is live and only read.
    check(unsafe { libc::setrlimit(resource, &raw const limit) }.into())?;
    Ok(limit.rlim_cur)
}

/// Whether the process has the user id of root, which bpf(2), perf and tracefs want on most systems.
#[must_use]
pub fn is_root() -> bool {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Whether there is a process with that id, ours or another user's.
#[must_use]
pub fn exists(pid: u32) -> bool {
    // SAFETY: signal 0 sends nothing.
    let result = unsafe { libc::kill(pid.cast_signed(), 0) };
    result == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_processes_are_told_apart() {
        assert_eq!(process_of(std::process::id()), Some(std::process::id()));
        assert_eq!(process_of(u32::MAX), None);
        assert!(!is_kernel_thread(std::process::id()));
        // Outside of a pid namespace process 2 starts the kernel's threads.
        let name = std::fs::read_to_string("/proc/2/comm").unwrap_or_default();
        assert!(name != "kthreadd\n" || is_kernel_thread(2));
    }

    fn arguments(of: &[&str]) -> Vec<OsString> {
        of.iter().map(OsString::from).collect()
    }

    fn finished(child: &mut Child) -> ExitStatus {
        wait_readable(child.as_fd(), Duration::from_secs(10)).unwrap();
        child.try_wait().unwrap().unwrap()
    }

    fn command_name(pid: u32) -> String {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim().into()
    }

    #[test]
    fn a_child_waits_for_its_release() {
        let ours = command_name(std::process::id());
        let mut child = Child::start(&arguments(&["sh", "-c", "exit 7"])).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(child.try_wait().unwrap(), None);
        // It has not become another program; its thread is named after the test.
        assert_ne!(command_name(child.pid()), "sh", "{ours}");
        child.release().unwrap();
        assert_eq!(finished(&mut child).code(), Some(7));
        assert_eq!(child.terminate().unwrap().code(), Some(7));
    }

    #[test]
    fn reasons_why_a_program_does_not_run() {
        let code = |of: &[&str]| Child::start(&arguments(of)).unwrap_err().raw_os_error();
        assert_eq!(code(&["no-such-program-anywhere"]), Some(libc::ENOENT));
        assert_eq!(code(&["/etc/passwd"]), Some(libc::EACCES));
        assert_eq!(code(&["/"]), Some(libc::EACCES));
        assert_eq!(code(&[]), Some(libc::EINVAL));
        // Executable, but not a program: only exec finds out.
        let file = std::env::temp_dir().join(format!("gotrace-test-{}", std::process::id()));
        std::fs::write(&file, "\x7fELF?").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = Child::start(&[file.clone().into()]).unwrap();
        let error = child.release().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOEXEC));
        assert_eq!(finished(&mut child).code(), Some(NOT_EXECUTED));
        let mut child = Child::start(&[file.clone().into()]).unwrap();
        let error = child.release_at_start(|| panic!("it has no start")).unwrap_err();
        std::fs::remove_file(file).unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENOEXEC));
        assert_eq!(finished(&mut child).code(), Some(NOT_EXECUTED));
    }

    #[test]
    fn a_held_child_ends_with_us() {
        let mut child = Child::start(&arguments(&["sleep", "100"])).unwrap();
        let pid = child.pid();
        assert!(child.terminate().unwrap().code().is_some());
        assert!(!exists(pid));
    }

    #[test]
    fn a_running_child_is_ended() {
        let mut child = Child::start(&arguments(&["sleep", "100"])).unwrap();
        child.release().unwrap();
        assert_eq!(child.terminate().unwrap().signal(), Some(libc::SIGTERM));
        let child = Child::start(&arguments(&["sleep", "100"])).unwrap();
        let pid = child.pid();
        drop(child);
        assert!(!exists(pid));
    }

    #[test]
    fn a_child_stands_at_the_start_of_its_program() {
        let mut child = Child::start(&arguments(&["sh", "-c", "exit 7"])).unwrap();
        let pid = child.pid();
        let mut seen = String::new();
        child
            .release_at_start(|| {
                std::thread::sleep(Duration::from_millis(20));
                seen = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
            })
            .unwrap();
        assert!(seen.contains("/bin/") && seen.contains("[vdso]"), "{seen}");
        assert_eq!(finished(&mut child).code(), Some(7));
    }

    #[test]
    fn a_child_stands_at_the_entry_of_its_program() {
        let mut child = Child::start(&arguments(&["sh", "-c", "exit 7"])).unwrap();
        let pid = child.pid();
        let mut seen = Vec::new();
        child
            .release_at_entry(|| seen.push(std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap()))
            .unwrap();
        assert!(!seen[0].contains("libc."), "{}", seen[0]);
        // Where there are no debug registers to be had, it is not stopped again.
        assert!(seen.len() == 1 || seen[1].contains("libc."), "{}", seen[1]);
        assert_eq!(finished(&mut child).code(), Some(7));
    }

    #[test]
    fn a_signal_before_the_start_of_the_program_is_delivered() {
        let mut child = Child::start(&arguments(&["sleep", "100"])).unwrap();
        signal::send(child.as_fd(), libc::SIGTERM).unwrap();
        child.release_at_start(|| ()).unwrap();
        assert_eq!(finished(&mut child).signal(), Some(libc::SIGTERM));
    }

    #[test]
    fn a_child_that_was_ended_before_it_is_let_go_is_no_error() {
        let mut child = Child::start(&arguments(&["sleep", "100"])).unwrap();
        signal::send(child.as_fd(), libc::SIGKILL).unwrap();
        assert_eq!(finished(&mut child).signal(), Some(libc::SIGKILL));
        child.release_at_start(|| ()).unwrap();
    }

    #[test]
    fn the_child_has_ordinary_signals() {
        let _blocked = signal::Signals::block(&signal::ENDING).unwrap();
        // Nothing is blocked, and SIGPIPE (bit 12) is not ignored.
        let script = "grep -q 'SigBlk:.0000000000000000$' /proc/self/status && \
                      grep -q 'SigIgn:.*[02468ace]...$' /proc/self/status";
        let mut child = Child::start(&arguments(&["sh", "-c", script])).unwrap();
        child.release().unwrap();
        assert_eq!(finished(&mut child).code(), Some(0));
    }
}
