//! Pages of the documentation as tests: what their blocks say is done, and what is printed is compared.
//!
//! | block | what happens to it |
//! |---|---|
//! | `gt` | a whole script: `gotrace check` must accept it |
//! | `sh` | each command that starts with `gotrace` is run and must succeed |
//! | `console` | each command behind `# ` or `$ ` that starts with `gotrace` is run; what it prints must have the lines shown |
//! | others | nothing |
//!
//! A comment before a block changes that: `<!-- not run: reason -->` leaves it alone, `<!-- file: name -->` makes it a file
//! of that name in the folder that the commands of the page run in. A line `^C` in the output stands for an interrupt.
//!
//! Numbers, addresses and bars differ from run to run: lines are compared by [`shape`], without their order, because
//! two programs print to one terminal. A line `…` stands for lines that are left out, `…` in a line for any text.

use std::collections::BTreeSet;

use regex_lite::Regex;

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Line of the fence in the page, from 1.
    pub line: usize,
    /// The word behind the fence.
    pub language: String,
    /// What a comment before it says.
    pub note: Option<Note>,
    /// Its lines.
    pub text: String,
}

/// What a comment before a block says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It is not run, for this reason.
    NotRun(String),
    /// It is a file of this name.
    File(String),
}

/// A command of a block, and what is shown of its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The command, as typed.
    pub command: String,
    /// The lines below it.
    pub output: Vec<String>,
}

impl Step {
    /// Whether it is gotrace that is run.
    pub fn is_gotrace(&self) -> bool {
        let assignment = |word: &&str| {
            word.split_once('=')
                .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        };
        let first = self.command.split_whitespace().find(|word| !assignment(word));
        first.is_some_and(|word| word == "gotrace" || word.ends_with(".gt"))
    }

    /// Whether the user ends it with Ctrl-C.
    pub fn interrupted(&self) -> bool {
        self.output.iter().any(|line| line == "^C")
    }
}

/// The fenced blocks of a Markdown text.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut note = None;
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                let language = language.split_whitespace().next().unwrap_or_default().to_owned();
                open = Some(Block { line: index + 1, language, note: note.take(), text: String::new() });
            }
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) if line.trim().is_empty() => {}
            (None, None) => note = comment(line),
        }
    }
    found
}

fn comment(line: &str) -> Option<Note> {
    let text = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    let not_run = text.strip_prefix("not run:").map(|reason| Note::NotRun(reason.trim().to_owned()));
    not_run.or_else(|| text.strip_prefix("file:").map(|name| Note::File(name.trim().to_owned())))
}

/// The commands of a `console` block, each behind a prompt, with their output.
pub fn session(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        let prompt = line.strip_prefix("# ").or_else(|| line.strip_prefix("$ "));
        match (prompt, steps.last_mut()) {
            (_, Some(step)) if is_open(&step.command) => {
                step.command.push('\n');
                step.command.push_str(line);
            }
            (Some(command), _) => steps.push(Step { command: command.to_owned(), output: Vec::new() }),
            (None, Some(step)) => step.output.push(line.to_owned()),
            (None, None) => {}
        }
    }
    steps
}

/// The commands of an `sh` block.
pub fn commands(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        match steps.last_mut() {
            Some(step) if is_open(&step.command) => {
                step.command.push('\n');
                step.command.push_str(line);
            }
            _ if line.trim().is_empty() || line.starts_with('#') => {}
            _ => steps.push(Step { command: line.to_owned(), output: Vec::new() }),
        }
    }
    steps
}

/// Whether a command goes on in the next line: a quote is open, or a backslash ends it.
fn is_open(command: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    for c in command.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(c),
            (Some(q), _) if q == c => quote = None,
            _ => {}
        }
    }
    quote.is_some() || escaped
}

/// What stays the same of a line from run to run: numbers and addresses are `N`, bars and runs of spaces are gone.
pub fn shape(line: &str) -> String {
    // Patterns that do not compile would be found by the tests below.
    let replace = |pattern: &str, with: &str, text: &str| match Regex::new(pattern) {
        Ok(pattern) => pattern.replace_all(text, with).into_owned(),
        Err(_) => text.to_owned(),
    };
    let bare = replace(r"\|[@ ]*\|", "||", line);
    let numbers = replace(r"\b(0x[0-9a-f]+|[0-9a-f]*[0-9][0-9a-f]*)([KMGTµu]|ms|us|ns|s)?\b", "N", &bare);
    let numbers = replace(r"-?N([.:]N)*", "N", &numbers);
    numbers.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Compares the output that a page shows with what was printed; the error tells the lines that are in one only.
pub fn compare(shown: &[String], printed: &str) -> Result<(), String> {
    let shapes = |lines: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
        lines.filter(|line| *line != "^C").map(shape).filter(|line| !line.is_empty()).collect()
    };
    let mut expected = shapes(&mut shown.iter().map(String::as_str));
    let left_out = expected.remove("…");
    let actual = shapes(&mut printed.lines());
    let fits = |expected: &str, actual: &str| match expected.contains('…') {
        false => expected == actual,
        true => {
            let parts: Vec<String> = expected.split('…').map(|part| format!("{}", Escaped(part))).collect();
            Regex::new(&format!("^{}$", parts.join(".*"))).is_ok_and(|pattern| pattern.is_match(actual))
        }
    };
    let mut faults = String::new();
    for line in expected.iter().filter(|e| !actual.iter().any(|a| fits(e, a))) {
        faults += &format!("\n  not printed: {line}");
    }
    for line in actual.iter().filter(|a| !left_out && !expected.iter().any(|e| fits(e, a))) {
        faults += &format!("\n  not shown:   {line}");
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// A text in a pattern that matches it to the letter.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            if c.is_ascii_punctuation() {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "Text\n\n```gt\nbegin { }\n```\n\n<!-- not run: no such kernel -->\n```console\n# gotrace x\n```\n\n\
                        <!-- file: a.gt -->\n\n```sh\n#!/usr/bin/env gotrace\n```\n";

    #[test]
    fn blocks_have_languages_and_notes() {
        let blocks = blocks(PAGE);
        let found: Vec<_> = blocks.iter().map(|b| (b.line, b.language.as_str(), b.note.clone())).collect();
        let expected = [
            (3, "gt", None),
            (8, "console", Some(Note::NotRun("no such kernel".into()))),
            (14, "sh", Some(Note::File("a.gt".into()))),
        ];
        assert_eq!(found, expected);
        assert_eq!(blocks[0].text, "begin { }\n");
    }

    #[test]
    fn a_session_is_commands_with_output() {
        let steps = session("$ gotrace -e 'begin {\n  # not a prompt\n}'\none\ntwo\n# ls\n");
        let commands: Vec<_> = steps.iter().map(|s| (s.command.as_str(), s.output.len())).collect();
        assert_eq!(commands, [("gotrace -e 'begin {\n  # not a prompt\n}'", 2), ("ls", 0)]);
        assert!(steps[0].is_gotrace() && !steps[1].is_gotrace());
    }

    #[test]
    fn commands_go_on_while_a_quote_is_open() {
        let steps = commands("# about it\nGOTRACE_MAX_STRLEN=64 gotrace -e 'a\n# b' \\\n  -c ./web\n\nls\n");
        assert_eq!(steps.len(), 2);
        assert!(steps[0].is_gotrace() && steps[0].command.ends_with("-c ./web"));
    }

    #[test]
    fn shapes_leave_out_what_differs() {
        let same = [
            ("[2, 4)                47 |@@@@@@|", "[4K, 8K)  1 |@  |"),
            ("21 main.f 70683c28485 16", "9 main.f c000012345 7"),
            ("12:30:01 1.5ms", "08:00:59 2.25ms"),
            ("@x: -5", "@x: 7"),
        ];
        for (a, b) in same {
            assert_eq!(shape(a), shape(b));
        }
        assert_ne!(shape("main.f"), shape("main.g"));
    }

    #[test]
    fn output_is_compared_by_lines_in_any_order() {
        let shown = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        assert_eq!(compare(&shown(&["a 1", "b"]), "b\na 2\n"), Ok(()));
        assert_eq!(compare(&shown(&["…", "b … d"]), "b c d\nother\n"), Ok(()));
        assert!(compare(&shown(&["a"]), "a\nb\n").is_err_and(|e| e.contains("not shown:   b")));
        assert!(compare(&shown(&["…", "a"]), "b\n").is_err_and(|e| e.contains("not printed: a")));
    }
}
