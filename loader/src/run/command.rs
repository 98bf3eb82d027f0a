//! What `cat()` and `system()` do in user space.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

/// The first bytes of a file, `most` of them.
///
/// # Errors
/// A sentence that says why it cannot be read.
pub(super) fn read_file(name: &[u8], most: u32) -> Result<Vec<u8>, String> {
    let path = OsStr::from_bytes(name);
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most.into()).read_to_end(&mut content));
    match read {
        Ok(_) => Ok(content),
        Err(e) => Err(format!("cat(): cannot read {}: {e}", path.display())),
    }
}

/// What a shell command prints, and a sentence that says so if it failed. It has no standard input, and its standard error is
/// gotrace's.
pub(super) fn run_shell(command: &[u8]) -> (Vec<u8>, Option<String>) {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(OsStr::from_bytes(command)).stdin(Stdio::null()).stderr(Stdio::inherit());
    match shell.output() {
        Ok(done) if done.status.success() => (done.stdout, None),
        Ok(done) => (done.stdout, Some(format!("system(): the command ended with {}", done.status))),
        Err(e) => (Vec::new(), Some(format!("system(): no shell can be started: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_cut() {
        assert_eq!(read_file(b"/proc/self/comm", 3).map(|c| c.len()), Ok(3));
        let error = read_file(b"/nonexistent", 3).unwrap_err();
        assert_eq!(error, "cat(): cannot read /nonexistent: No such file or directory (os error 2)");
    }

    #[test]
    fn commands_and_their_failures() {
        assert_eq!(run_shell(b"echo hi"), (b"hi\n".to_vec(), None));
        let (output, failed) = run_shell(b"echo no; exit 3");
        assert_eq!((output.as_slice(), failed.is_some()), (&b"no\n"[..], true));
    }
}
