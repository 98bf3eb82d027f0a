//! What people write who come from another language, and what to write instead.
//!
//! The parser and the checker look here when a word means nothing anyway; a script that declares such a name is not touched.

use crate::diag::Problem;

/// What loops look like.
pub(crate) const FOR: &str =
    "a loop over numbers: `for ($i : 0..10) { }`, over a map: `for ($kv : @map) { }`";
const ELSE_IF: &str = "write `else if`";
const LET: &str = "a variable is declared by `let`: `let $x = 1`, or by its first value: `$x = 1`";
const PRINT: &str =
    "`print(VALUE)` prints a value on a line, `printf(\"%d\\n\", VALUE)` a text with values in it";
const HIST: &str = "`@x = hist(NUMBER)` and `@x = lhist(NUMBER, MIN, MAX, STEP)` are distributions";
const NOW: &str = "`nsecs` is the time in nanoseconds; `time(\"%H:%M:%S\\n\")` prints the time of day";
const ZERO: &str = "a pointer that leads nowhere is 0: `$p == 0`";
const SEARCH: &str = "`strcontains(TEXT, \"part\")` looks for a part of a text";
const FUNCTION: &str =
    "a function is declared so: `fn add($a : int64, $b : int64) : int64 { return $a + $b; }`";

/// Words at the start of a statement.
const STATEMENTS: &[(&[&str], &str)] = &[
    (&["var", "const", "auto", "my", "local"], LET),
    (&["elif", "elsif", "elseif"], ELSE_IF),
    (&["do", "until", "loop"], "a loop with a condition: `while (…) { }`"),
    (&["foreach"], FOR),
    (&["switch", "case", "match"], "cases are told apart by `if (…) { } else if (…) { } else { }`"),
    (&["goto"], "`return` leaves the block, `break` a loop"),
];

/// Names of values and functions.
const NAMES: &[(&[&str], &str)] = &[
    (&["True", "TRUE"], "write `true`"),
    (&["False", "FALSE"], "write `false`"),
    (&["NULL", "null", "None", "nullptr"], ZERO),
    (&["echo", "puts", "println", "Println", "Printf", "say"], PRINT),
    (&["strcmp", "streq"], "texts are compared by `==`: `comm == \"sshd\"`"),
    (&["contains", "Contains", "strchr", "index"], SEARCH),
    (&["concat", "strcat"], "`str_concat(A, B)` joins two texts"),
    (&["length", "size"], "`strlen(TEXT)` is the length of a text, `len(@map)` the number of entries"),
    (&["quantize", "histogram", "lquantize"], HIST),
    (&["timestamp", "now", "walltimestamp", "ktime"], NOW),
    (&["execname", "process", "cmdline"], "`comm` is the name of the thread"),
    (&["probefunc", "funcname"], "`func` is the name of the function"),
    (&["stack", "backtrace"], "`ustack` is the stack of the program, `kstack` that of the kernel"),
    (&["arg", "argument", "argv"], "`arg0`, `arg1`, … are the arguments of the function"),
    (&["ret", "rval", "returnval"], "`retval` is the result of the function"),
];

/// Words at the start of an item.
const ITEMS: &[(&[&str], &str)] = &[
    (&["function", "func", "def", "sub"], FUNCTION),
    (&["config"], "settings are written so: `config = { max_strlen = 200 }`"),
];

fn find(table: &'static [(&[&str], &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(words, _)| words.contains(&word)).map(|(_, help)| *help)
}

/// Help for a word at the start of a statement.
pub(crate) fn statement(word: &str) -> Option<&'static str> {
    find(STATEMENTS, word)
}

/// Help for the name of a value or function.
pub(crate) fn name(word: &str) -> Option<&'static str> {
    find(NAMES, word)
}

/// Help for a word at the start of an item.
pub(crate) fn item(word: &str) -> Option<&'static str> {
    find(ITEMS, word)
}

impl Problem {
    /// Help for an unknown name: what it is called here, or the nearest known name.
    pub(crate) fn meant<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Problem {
        match name(word) {
            Some(help) => self.help(help),
            None => self.did_you_mean(word, known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_means_something_here() {
        for (word, _) in NAMES.iter().flat_map(|(words, _)| words.iter().map(|w| (w, ()))) {
            assert!(crate::builtin::find(word).is_none(), "{word}");
        }
    }
}
