//! Lines with `#` between the items of a script: constants (`#define NAME TOKENS`) and parts that are left out (`#ifdef`, `#ifndef`,
//! `#else`, `#endif`).
//!
//! This is what scripts for bpftrace use besides `#include`. There is no C compiler here, so headers cannot be read, and where the
//! kernel describes its types itself they are not needed: scripts ask for that by the name `BPFTRACE_HAVE_BTF`, and those that do not are
//! read without the header.

use super::{Lexer, leading_word};
use crate::diag::Problem;
use crate::span::Span;
use crate::token::Tok;
use logos::Logos;

/// Name that is defined in bpftrace when the types of the kernel are known; gotrace never takes them from headers.
const HAVE_TYPES: &str = "BPFTRACE_HAVE_BTF";

impl<'i> Lexer<'i> {
    /// A line that starts with `#`.
    pub(super) fn preprocessor_line(&mut self) {
        self.out.preprocessed = true;
        let start = self.at;
        let line = line(self.rest());
        let span = Span::new(start, start + line.trim_end().len());
        self.at += line.len();
        let (word, rest) = directive(line);
        match word {
            "define" => self.define(rest, span),
            "ifdef" | "ifndef" => {
                let name = leading_word(rest);
                if name.is_empty() {
                    self.out.problems.push(Problem::error(span, format!("`#{word}` wants a name")));
                }
                self.branches.push(span);
                let defined = name == HAVE_TYPES || self.defines.contains_key(name);
                if defined != (word == "ifdef") {
                    self.skip_branch(true);
                }
            }
            "else" | "endif" if self.branches.is_empty() => {
                self.out.problems.push(Problem::error(span, format!("`#{word}` without `#ifdef`")));
            }
            // The branch before it was taken.
            "else" => self.skip_branch(false),
            "endif" => drop(self.branches.pop()),
            // Headers of the kernel and of C: most scripts want structures of them, which are known.
            "include" if rest.starts_with('<') => {
                let problem = Problem::warning(span, "this is left out: gotrace reads no C headers")
                    .note("structures and enumerators of the kernel are known without it")
                    .help("give other constants their names: `#define AF_INET 2`");
                self.out.problems.push(problem);
            }
            "include" => {
                let problem = Problem::error(span, "gotrace reads no C headers").help(
                    "structures of the kernel are known without it; declare others: `struct T { int32 x; };`",
                );
                self.out.problems.push(problem);
            }
            _ => {
                let problem = Problem::error(span, "gotrace has no such line of a preprocessor")
                    .note("there are #define of a constant, #ifdef, #ifndef, #else and #endif")
                    .help("a comment starts with `//`");
                self.out.problems.push(problem);
            }
        }
    }

    /// Reports a branch that the script ends in.
    pub(super) fn open_branches(&mut self) {
        for span in std::mem::take(&mut self.branches) {
            self.out.problems.push(Problem::error(span, "there is no `#endif` for this"));
        }
    }

    fn define(&mut self, rest: &'i str, span: Span) {
        let name = leading_word(rest);
        let value = rest.get(name.len()..).unwrap_or_default();
        if name.is_empty() || value.starts_with('(') {
            let problem = Problem::error(span, "`#define` gives a name to a constant")
                .help("what has parameters is a macro: `macro name(x) { x + 1 }`");
            self.out.problems.push(problem);
            return;
        }
        let mut tokens = Vec::new();
        for token in value.split(CONTINUED).flat_map(Tok::lexer) {
            match token {
                // Definitions that it is made of came before it.
                Ok(Tok::Ident(other)) if self.defines.contains_key(other) => {
                    tokens.extend(self.defines.get(other).into_iter().flatten().copied());
                }
                Ok(Tok::LBrace | Tok::RBrace | Tok::Semi) | Err(_) => {
                    let problem = Problem::error(span, "`#define` gives a name to a constant")
                        .help("statements are a macro: `macro name() { … }`");
                    self.out.problems.push(problem);
                    return;
                }
                Ok(token) => tokens.push(token),
            }
        }
        if tokens.len() > MAX_TOKENS {
            self.out.problems.push(Problem::error(span, format!("`{name}` stands for too much text")));
            return;
        }
        self.defines.insert(name, tokens);
    }

    /// Leaves out the lines of a branch; behind its `#else`, if `or_else`, the script goes on.
    fn skip_branch(&mut self, or_else: bool) {
        let mut inner = 0usize;
        while self.at < self.source.len() {
            let line = line(self.rest());
            self.at += line.len();
            let Some(text) = line.trim_start().strip_prefix('#') else { continue };
            match leading_word(text.trim_start()) {
                "if" | "ifdef" | "ifndef" => inner += 1,
                "endif" if inner > 0 => inner -= 1,
                "endif" => {
                    self.branches.pop();
                    return;
                }
                "else" if inner == 0 && or_else => return,
                _ => {}
            }
        }
    }
}

/// Most tokens that one name may stand for: definitions that are made of others could double with each line.
const MAX_TOKENS: usize = 1000;

/// The end of a line that goes on in the next one.
const CONTINUED: &str = "\\\n";

/// The first line, with its end and those that it goes on in.
fn line(text: &str) -> &str {
    let ends = text.split_inclusive('\n').scan(0, |end, line| {
        *end += line.len();
        Some((*end, line))
    });
    let mut ends = ends.skip_while(|(_, line)| line.ends_with(CONTINUED));
    ends.next().and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// The first C header that a script asks for and that was left out.
pub(crate) fn left_out_header(source: &str) -> Option<&str> {
    source.lines().find_map(|line| {
        let (word, rest) = directive(line.trim_start().strip_prefix('#')?);
        let header = rest.strip_prefix('<')?.split_once('>')?.0;
        (word == "include").then_some(header)
    })
}

/// `#word rest`
fn directive(line: &str) -> (&str, &str) {
    let text = line.trim_start_matches('#').trim();
    let word = leading_word(text);
    (word, text.get(word.len()..).unwrap_or_default().trim_start())
}
