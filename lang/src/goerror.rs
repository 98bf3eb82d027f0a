//! Errors of Go programs whose message can be told from their members: which types there are, and how their messages are made.
//!
//! `goerr(x)` copies, at most [`LEVELS`] deep, of each error in a chain the address of its type and what [`FORMS`] says of that type: some
//! strings, a number, and where the error is that it was caused by. The checker asks [`crate::env::Env::go_errors`] at which addresses a
//! program has these types; user space makes the message. Equal errors are equal bytes, so they can be keys of maps.

/// Errors in a chain that are copied.
pub const LEVELS: u32 = 4;
/// Most strings of one error.
pub const TEXTS: u32 = 3;
/// Bytes that are copied of a string.
pub const ROOM: u32 = 120;
/// Bytes of a string: its length in 8 bytes, then the text, then zeros.
pub const TEXT_SIZE: u32 = 8 + ROOM;
/// Bytes of an error: the address of its type, its number, its strings.
pub const LEVEL_SIZE: u32 = 16 + TEXTS * TEXT_SIZE;
/// Bytes in all: the process id in 8 bytes, then the errors.
pub const SIZE: u32 = 8 + LEVELS * LEVEL_SIZE;

/// How a kind of error says what it is.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Full names of the types, such as `*io/fs.PathError`.
    pub types: &'static [&'static str],
    /// Members that are strings; an empty name is the value itself. At most [`TEXTS`].
    pub texts: &'static [&'static str],
    /// The member that is the error behind this one.
    pub cause: Option<&'static str>,
    /// The value is an error number of the system.
    pub number: bool,
    /// The message: `{0}` is the first string, `{0q}` the same in quotes, `{e}` the message of the error behind.
    pub message: &'static str,
}

const fn form(types: &'static [&'static str], texts: &'static [&'static str], message: &'static str) -> Form {
    Form { types, texts, cause: None, number: false, message }
}

const fn caused(
    types: &'static [&'static str],
    texts: &'static [&'static str],
    cause: &'static str,
    message: &'static str,
) -> Form {
    Form { types, texts, cause: Some(cause), number: false, message }
}

/// The known errors, by the `Error` methods of the Go source. Those without strings always say the same.
pub const FORMS: &[Form] = &[
    form(&["*errors.errorString", "runtime.plainError"], &["s"], "{0}"),
    form(&["*fmt.wrapError", "*fmt.wrapErrors", "*encoding/json.SyntaxError"], &["msg"], "{0}"),
    form(&["*github.com/pkg/errors.fundamental"], &["msg"], "{0}"),
    form(&["*net/http.httpError", "*net/http.timeoutError"], &["err"], "{0}"),
    form(&["runtime.errorString"], &[""], "runtime error: {0}"),
    form(&["context.deadlineExceededError"], &[], "context deadline exceeded"),
    form(
        &["*internal/poll.DeadlineExceededError", "*internal/poll.TimeoutError", "*net.timeoutError"],
        &[],
        "i/o timeout",
    ),
    form(&["internal/poll.errNetClosing"], &[], "use of closed network connection"),
    form(&["*net.canceledError"], &[], "operation was canceled"),
    Form { types: &["syscall.Errno"], texts: &[], cause: None, number: true, message: "" },
    caused(&["*io/fs.PathError", "*os.PathError"], &["Op", "Path"], "Err", "{0} {1}: {e}"),
    caused(&["*os.LinkError"], &["Op", "Old", "New"], "Err", "{0} {1} {2}: {e}"),
    caused(&["*os.SyscallError"], &["Syscall"], "Err", "{0}: {e}"),
    caused(&["*net.OpError"], &["Op", "Net"], "Err", "{0} {1}: {e}"),
    caused(&["*net/url.Error"], &["Op", "URL"], "Err", "{0} {1q}: {e}"),
    caused(&["*os/exec.Error"], &["Name"], "Err", "exec: {0q}: {e}"),
    caused(&["*strconv.NumError"], &["Func", "Num"], "Err", "strconv.{0}: parsing {1q}: {e}"),
    form(&["*net.DNSError"], &["Name", "Err"], "lookup {0}: {1}"),
    form(&["*net.AddrError"], &["Addr", "Err"], "address {0}: {1}"),
    caused(&["*github.com/pkg/errors.withStack"], &[], "error", "{e}"),
    caused(&["*github.com/pkg/errors.withMessage"], &["msg"], "cause", "{0}: {e}"),
];

/// The form of a type, by its full name.
#[must_use]
pub fn form_of(name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.types.contains(&name))
}

/// A known error type of one program, for the code generator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorType {
    /// Address of the type's descriptor, in a position-independent program less [`crate::hir::Builtin::CodeBase`].
    pub address: u64,
    /// Where its strings are, in bytes from the start of the value.
    pub texts: Vec<u32>,
    /// Where the error behind it is.
    pub cause: Option<u32>,
    /// Whether the value is a number.
    pub number: bool,
}

/// Bits of an offset in [`ErrorType::packed`].
pub const OFFSET_BITS: u32 = 12;
/// No such offset.
pub const NO_OFFSET: u64 = (1 << OFFSET_BITS) - 1;

impl ErrorType {
    /// All in one word: the offsets of the strings, of the error behind, and a bit for the number.
    #[must_use]
    pub fn packed(&self) -> u64 {
        let offset = |at: Option<u32>| at.map_or(NO_OFFSET, |at| u64::from(at).min(NO_OFFSET));
        let mut word = u64::from(self.number) << ((TEXTS + 1) * OFFSET_BITS);
        word |= offset(self.cause) << (TEXTS * OFFSET_BITS);
        (0..TEXTS)
            .fold(word, |word, n| word | offset(self.texts.get(n as usize).copied()) << (n * OFFSET_BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_complete() {
        for form in FORMS {
            assert!(form.texts.len() <= TEXTS as usize, "{form:?}");
            for n in 0..TEXTS as usize {
                let named =
                    form.message.contains(&format!("{{{n}}}")) || form.message.contains(&format!("{{{n}q}}"));
                assert_eq!(named, n < form.texts.len(), "{form:?}");
            }
            assert_eq!(form.cause.is_some(), form.message.contains("{e}"), "{form:?}");
            assert_eq!(form_of(form.types[0]).map(|f| f.message), Some(form.message));
        }
    }

    #[test]
    fn packed() {
        let ty = ErrorType { address: 0, texts: vec![0, 16], cause: Some(32), number: false };
        assert_eq!(ty.packed(), 0x020_fff_010_000);
    }
}
