//! Names that the C library knows: of users, errors and signals.

use std::ffi::{CStr, c_char};

/// Room for the strings of a user's entry; it is enlarged as long as it does not do.
const ROOM: usize = 1024;
/// Most room that is tried.
const MOST_ROOM: usize = 1 << 20;

/// Name of a user; `None` if there is no such user.
#[must_use]
pub fn user(uid: u32) -> Option<String> {
    let mut room: Vec<c_char> = vec![0; ROOM];
    loop {
        // SAFETY: `passwd` is a plain structure of integers and pointers, for which zeros are valid.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: all pointers are to live, exclusively borrowed memory, and the length is that of the room.
        let error = unsafe { libc::getpwuid_r(uid, &mut entry, room.as_mut_ptr(), room.len(), &mut found) };
        if error == libc::ERANGE && room.len() < MOST_ROOM {
            room.resize(room.len() * 2, 0);
            continue;
        }
        if error != 0 || found.is_null() || entry.pw_name.is_null() {
            return None;
        }
        // SAFETY: the call has succeeded, so the name is a NUL-terminated string in `room`, which is still there.
        return Some(unsafe { CStr::from_ptr(entry.pw_name) }.to_string_lossy().into_owned());
    }
}

/// Message of an error number, as strerror(3).
#[must_use]
pub fn error(number: i32) -> String {
    let mut room = [0 as c_char; 256];
    // SAFETY: the pointer and the length are those of an exclusively borrowed array.
    let failed = unsafe { libc::strerror_r(number, room.as_mut_ptr(), room.len()) } != 0;
    if failed && room[0] == 0 {
        return format!("Unknown error {number}");
    }
    let bytes: Vec<u8> = room.iter().map(|c| *c as u8).take_while(|c| *c != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Description of a signal, as strsignal(3); `N/A` for numbers that no signal can have.
#[must_use]
pub fn signal(number: i32) -> String {
    // `_NSIG`, the same on all machines that gotrace runs on.
    const LAST: i32 = 64;
    if !(0..=LAST).contains(&number) {
        return "N/A".to_owned();
    }
    // SAFETY: the function takes any number. Its result is null or a string that stays until the next call in this thread.
    let text = unsafe { libc::strsignal(number) };
    if text.is_null() {
        return format!("Unknown signal {number}");
    }
    // SAFETY: it is not null, so it is NUL-terminated, and it is copied before anybody calls again.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_c_library() {
        assert_eq!(user(0).as_deref(), Some("root"));
        assert_eq!(user(4_000_000_123), None);
        assert_eq!(error(2), "No such file or directory");
        assert!(error(999_999).starts_with("Unknown error"), "{}", error(999_999));
        assert_eq!(signal(9), "Killed");
        assert!(signal(0).starts_with("Unknown signal"), "{}", signal(0));
        assert_eq!([signal(-1), signal(65), signal(99)], ["N/A"; 3]);
    }
}
