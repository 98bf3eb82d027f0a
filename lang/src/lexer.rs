//! Cuts a script into tokens and into its top-level items.
//!
//! A script is a sequence of items (declarations, the config block, probes), and an attach point may hold nearly any
//! character, so the lexer knows where it is: at the top level it reads attach points by hand, elsewhere it lets
//! [`logos`] find the tokens. Items are parsed one by one; an error in one does not touch the next.

mod preprocessor;

pub(crate) use preprocessor::left_out_header;
mod typenames;

use crate::diag::{Problem, Problems};
use crate::span::Span;
use crate::token::{LexError, Tok};
use logos::Logos;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// A token and its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'i> {
    /// The token.
    pub tok: Tok<'i>,
    /// Its place.
    pub span: Span,
}

/// A script as tokens.
#[derive(Debug, Default)]
pub struct Lexed<'i> {
    /// The items, each with its tokens.
    pub items: Vec<Item<'i>>,
    /// Text that is no token, unclosed braces, what gotrace does not have.
    pub problems: Problems,
    /// There are lines of a preprocessor, which belong to no item.
    pub preprocessed: bool,
}

/// The tokens of one top-level item.
#[derive(Debug, Default)]
pub struct Item<'i> {
    /// The tokens.
    pub tokens: Vec<Token<'i>>,
    /// The end of the script came before the end of the item; reported already.
    pub unclosed: bool,
}

/// Deepest nesting of brackets: more is no script that a person wrote, and the parser's consumers are recursive.
const MAX_NESTING: usize = 128;

/// Cuts the source into items of tokens.
#[must_use]
pub fn lex(source: &str) -> Lexed<'_> {
    let mut lexer = Lexer {
        source,
        at: 0,
        out: Lexed::default(),
        item: Item::default(),
        too_deep: false,
        defines: HashMap::new(),
        typedefs: HashSet::new(),
        branches: Vec::new(),
    };
    if source.len() >= u32::MAX as usize {
        lexer.out.problems.push(Problem::general("the script is larger than 4 GiB"));
        return lexer.out;
    }
    lexer.script();
    lexer.open_branches();
    lexer.out
}

/// The tokens of a script, one a line: place, kind and text (`-d tokens`).
#[must_use]
pub fn dump(source: &str) -> String {
    let mut out = String::new();
    let (mut line, mut line_start, mut at) = (1, 0, 0);
    for token in lex(source).items.iter().flat_map(|item| &item.tokens) {
        let start = token.span.start as usize;
        let between = source.get(at..start).unwrap_or_default();
        line += between.matches('\n').count();
        line_start = between.rfind('\n').map_or(line_start, |newline| at + newline + 1);
        at = start;
        let column = source.get(line_start..start).unwrap_or_default().chars().count() + 1;
        let place = format!("{line}:{column}");
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{place:<8}{:<17}{}", token.tok.class(), token.tok);
    }
    out
}

struct Lexer<'i> {
    source: &'i str,
    /// Offset of the next character.
    at: usize,
    out: Lexed<'i>,
    /// The item that is being collected.
    item: Item<'i>,
    /// The nesting limit was reported.
    too_deep: bool,
    /// What `#define` gave names to.
    defines: HashMap<&'i str, Vec<Tok<'i>>>,
    /// Names that a `typedef` declares.
    typedefs: HashSet<&'i str>,
    /// The `#ifdef` and `#ifndef` that no `#endif` has come for yet.
    branches: Vec<Span>,
}

/// A run of ordinary tokens, by what ends it.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The `}` of the first `{`.
    Block,
    /// A `/` that stands before `{`, or that `{` itself when the slash was forgotten.
    Predicate,
    /// A `;` or `}` outside of all braces: the end of a declaration.
    Declaration,
    /// A `;` outside of all braces.
    Semicolon,
}

impl<'i> Lexer<'i> {
    fn script(&mut self) {
        if self.rest().starts_with("#!") {
            self.skip_line();
        }
        loop {
            self.skip_space();
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { break };
            let word = leading_word(rest);
            let after_word = rest.get(word.len()..).unwrap_or_default().trim_start();
            match (first, word) {
                ('#', _) => self.preprocessor_line(),
                (';', _) => self.at += 1,
                ('}', _) => {
                    self.problem(1, "unmatched `}`", "no block is open here");
                    self.at += 1;
                }
                ('/', _) => self.late_predicate(),
                (_, "struct" | "union" | "enum") => self.declaration(),
                (_, "config") if after_word.starts_with('=') => {
                    self.tokens(Until::Block);
                    self.end_item();
                }
                (_, "macro") if !after_word.starts_with([':', '{', '/']) => {
                    self.headed(Tok::Macro, Until::Block);
                }
                (_, "fn") if !after_word.starts_with([':', '{', '/']) => self.headed(Tok::Fn, Until::Block),
                (_, "import") if after_word.starts_with('"') => self.headed(Tok::Import, Until::Declaration),
                (_, "let") if !after_word.starts_with([':', '{', '/']) => {
                    self.tokens(Until::Declaration);
                    self.end_item();
                }
                (_, "typedef") if !after_word.starts_with([':', '{', '/']) => {
                    self.headed(Tok::Typedef, Until::Semicolon);
                }
                (_, "import") if !after_word.starts_with([':', '{', '/']) => self.import_of_nothing(word),
                _ => self.probe(),
            }
        }
    }

    fn rest(&self) -> &'i str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn problem(&mut self, len: usize, message: &str, at: &str) {
        let span = Span::new(self.at, self.at + len);
        self.out.problems.push(Problem::error(span, message).at(at));
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// Skips white space and comments.
    fn skip_space(&mut self) {
        loop {
            let trimmed = self.rest().trim_start();
            self.at = self.source.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.skip_line();
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(end) => self.at += end + 4,
                    None => {
                        self.problem(2, "this comment is never closed", "write `*/` where it ends");
                        self.at = self.source.len();
                    }
                }
            } else {
                return;
            }
        }
    }

    fn push(&mut self, tok: Tok<'i>, start: usize, end: usize) {
        self.item.tokens.push(Token { tok, span: Span::new(start, end) });
    }

    fn end_item(&mut self) {
        let mut item = std::mem::take(&mut self.item);
        self.name_types(&mut item.tokens);
        if !item.tokens.is_empty() {
            self.out.items.push(item);
        }
    }

    /// An item that a word of its own begins, which is a name elsewhere.
    fn headed(&mut self, word: Tok<'i>, until: Until) {
        self.tokens(until);
        if let Some(first) = self.item.tokens.first_mut() {
            first.tok = word;
        }
        self.end_item();
    }

    /// `import` without the name of a file.
    fn import_of_nothing(&mut self, word: &str) {
        let span = Span::new(self.at, self.at + word.len());
        let problem = Problem::error(span, "`import` wants the name of a file");
        self.out.problems.push(problem.help("write it in quotes: `import \"file.bt\";`"));
        self.tokens(Until::Declaration);
        self.item = Item::default();
    }

    /// `{ … } /pid == 1/ { … }`: a predicate without attach points.
    fn late_predicate(&mut self) {
        let problem = Problem::error(
            Span::new(self.at, self.at + 1),
            "a predicate stands between attach point and block",
        )
        .help("`uprobe:./web:main.f /pid == 1/ { … }`");
        self.out.problems.push(problem);
        self.at += 1;
        self.tokens(Until::Predicate);
        self.skip_space();
        if self.rest().starts_with('{') {
            self.tokens(Until::Block);
        }
        self.item = Item::default();
    }

    /// `struct T { … }`, with an attribute behind it perhaps; `struct T;`
    fn declaration(&mut self) {
        self.tokens(Until::Declaration);
        self.skip_space();
        if leading_word(self.rest()) == "__attribute__" {
            self.tokens(Until::Declaration);
            if self.item.tokens.last().is_some_and(|t| t.tok == Tok::Semi) {
                self.item.tokens.pop();
            }
        }
        self.end_item();
    }

    /// Attach points, predicate, block.
    fn probe(&mut self) {
        loop {
            self.skip_space();
            self.attach_point();
            self.skip_space();
            if !self.rest().starts_with(',') {
                break;
            }
            self.push(Tok::Comma, self.at, self.at + 1);
            self.at += 1;
            self.skip_space();
            if self.rest().starts_with(['{', '/']) {
                break;
            }
        }
        if self.rest().starts_with('/') {
            self.push(Tok::PredicateOpen, self.at, self.at + 1);
            self.at += 1;
            self.tokens(Until::Predicate);
            self.skip_space();
        }
        if self.rest().starts_with('{') {
            self.tokens(Until::Block);
        }
        self.end_item();
    }

    /// One attach point: up to `,`, `{`, a line end, or white space and then `/`; brackets and quotes protect. A
    /// predicate that is glued to it (`main.f/pid == 1/ {`) is split off.
    fn attach_point(&mut self) {
        let rest = self.rest();
        let path_kind = has_path(rest);
        let mut depth = 0usize;
        let mut quoted = false;
        let mut end = rest.len();
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\n' => {}
                '"' => {
                    quoted = !quoted;
                    continue;
                }
                '\\' if quoted => {
                    chars.next_if(|&(_, c)| c != '\n');
                    continue;
                }
                _ if quoted => continue,
                '(' | '[' => {
                    depth += 1;
                    continue;
                }
                ')' | ']' => {
                    depth = depth.saturating_sub(1);
                    continue;
                }
                ',' | '{' if depth == 0 => {}
                '/' if !path_kind => {}
                c if c.is_whitespace() && ends_after_space(rest.get(at..).unwrap_or_default()) => {}
                _ => continue,
            }
            end = at;
            break;
        }
        let text = rest.get(..end).unwrap_or_default().trim_end();
        let len = if path_kind { glued_predicate(text).unwrap_or(text.len()) } else { text.len() };
        if len > 0 {
            self.push(Tok::Attach(text.get(..len).unwrap_or(text)), self.at, self.at + len);
        }
        self.at += len;
    }

    /// Ordinary tokens up to the given end.
    fn tokens(&mut self, until: Until) {
        let base = self.at;
        let mut lexer = Tok::lexer(self.rest());
        let mut open: Vec<Span> = Vec::new();
        let mut nesting = 0usize;
        let mut cut_off = false;
        while let Some(result) = lexer.next() {
            let range = lexer.span();
            let span = Span::new(base + range.start, base + range.end);
            self.at = base + range.end;
            let mut tok = match result {
                Ok(tok) => tok,
                Err(error) => {
                    cut_off |= error != LexError::UnknownCharacter;
                    match foreign(lexer.slice(), lexer.remainder()) {
                        Some((len, message, help)) => {
                            // A comment may have been before closing brackets.
                            cut_off |= lexer.slice() == "#";
                            lexer.bump(len);
                            let whole = Span::new(span.start as usize, span.end as usize + len);
                            self.out.problems.push(Problem::error(whole, message).help(help));
                            // What is meant as a text stands for one, so that nothing else is wrong with the line.
                            if lexer.slice().starts_with('\'') {
                                self.item.tokens.push(Token { tok: Tok::Str("\"\""), span: whole });
                            }
                        }
                        None => self.out.problems.push(lex_problem(error, span, lexer.slice())),
                    }
                    continue;
                }
            };
            match tok {
                Tok::LParen | Tok::LBracket => nesting += 1,
                Tok::RParen | Tok::RBracket => nesting = nesting.saturating_sub(1),
                Tok::LBrace => {
                    if until == Until::Predicate {
                        // The closing slash is missing: let the block be read as one, the parser reports it.
                        self.at = span.start as usize;
                        return;
                    }
                    open.push(span);
                }
                Tok::RBrace => {
                    open.pop();
                }
                Tok::Slash if until == Until::Predicate && before_block(lexer.remainder()) => {
                    tok = Tok::PredicateClose;
                }
                _ => {}
            }
            if nesting + open.len() > MAX_NESTING {
                if !self.too_deep {
                    self.out.problems.push(Problem::error(span, "brackets are nested too deeply"));
                }
                self.too_deep = true;
                self.item.unclosed = true;
                self.at = self.source.len();
                return;
            }
            match tok {
                // What stands for the name has its place.
                Tok::Ident(name) if self.defines.contains_key(name) => {
                    let tokens = self.defines.get(name).into_iter().flatten();
                    self.item.tokens.extend(tokens.map(|tok| Token { tok: *tok, span }));
                }
                _ => self.item.tokens.push(Token { tok, span }),
            }
            let done = match until {
                Until::Block => tok == Tok::RBrace && open.is_empty(),
                Until::Predicate => tok == Tok::PredicateClose,
                Until::Declaration => matches!(tok, Tok::RBrace | Tok::Semi) && open.is_empty(),
                Until::Semicolon => tok == Tok::Semi && open.is_empty(),
            };
            if done {
                return;
            }
        }
        self.at = self.source.len();
        self.item.unclosed = true;
        if cut_off {
            // What is cut off here holds closing brackets perhaps.
            return;
        }
        let problem = match (open.last(), until) {
            (Some(&brace), _) => {
                Problem::error(brace, "this `{` is never closed").help("add the missing `}`")
            }
            (None, Until::Predicate) => {
                let start = self.item.tokens.iter().find(|t| t.tok == Tok::PredicateOpen);
                Problem::error(
                    start.map_or(Span::new(base, base), |t| t.span),
                    "the predicate is never closed",
                )
                .help("a predicate stands between slashes, a block follows: `/pid == 1/ { … }`")
            }
            _ => {
                let end = self.item.tokens.last().map_or(base, |t| t.span.end as usize);
                Problem::error(Span::new(end, end), "the script ends in the middle of a declaration")
            }
        };
        self.out.problems.push(problem);
    }
}

/// What another language writes so: the number of bytes that belong to it behind its first character, what is wrong, and what to
/// write instead.
fn foreign(first: &str, rest: &str) -> Option<(usize, &'static str, String)> {
    let line = rest.split('\n').next().unwrap_or_default();
    match first {
        "'" => {
            let text = line.split_once('\'')?.0;
            Some((text.len() + 1, "a text stands in double quotes", format!("write `\"{text}\"`")))
        }
        "#" => Some((line.len(), "a `#` begins no comment", "a comment starts with `//`".into())),
        _ => None,
    }
}

fn lex_problem(error: LexError, span: Span, text: &str) -> Problem {
    match error {
        LexError::UnclosedComment => Problem::error(
            Span::new(span.start as usize, span.start as usize + 2),
            "this comment is never closed",
        )
        .at("write `*/` where it ends"),
        LexError::UnclosedString => {
            Problem::error(span, "this string is never closed").at("a closing `\"` is missing on this line")
        }
        LexError::UnknownCharacter => {
            let problem = Problem::error(span, format!("unexpected character {}", quoted(text)));
            match text.chars().next() {
                Some('\'') => problem.help("strings are written with double quotes"),
                Some('$') => problem.help("a variable is `$` and a name, a script argument is `$1`"),
                Some('“' | '”') => problem.help("replace typographic quotes by `\"`"),
                _ => problem,
            }
        }
    }
}

/// The text in back quotes; control characters are escaped.
fn quoted(text: &str) -> String {
    let shown: String = text
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect();
    if shown.contains('`') { format!("\"{shown}\"") } else { format!("`{shown}`") }
}

/// The name that the text starts with.
fn leading_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Kinds of probe that never have a slash: a `/` is the predicate, wherever it stands. Others hold paths and Go names.
const WITHOUT_SLASH: &[&str] = &[
    "begin",
    "end",
    "interval",
    "i",
    "profile",
    "p",
    "tracepoint",
    "t",
    "rawtracepoint",
    "rt",
    "kprobe",
    "k",
    "kretprobe",
    "kr",
    "fentry",
    "f",
    "fexit",
    "fr",
    "software",
    "s",
    "hardware",
    "h",
    "iter",
    "it",
    "watchpoint",
    "w",
    "self",
];

/// Whether slashes are part of this attach point: of one of a kind with paths, or of an iterator's that is pinned.
fn has_path(text: &str) -> bool {
    let kind = leading_word(text).to_ascii_lowercase();
    let head = text.split(['/', '{']).next().unwrap_or_default();
    !WITHOUT_SLASH.contains(&kind.as_str()) || (kind.starts_with("it") && head.matches(':').count() == 2)
}

/// Whether an attach point ends before this white space: the line ends, or something follows that is not part of it.
fn ends_after_space(text: &str) -> bool {
    let trimmed = text.trim_start();
    let skipped = text.len() - trimmed.len();
    text.get(..skipped).unwrap_or_default().contains('\n')
        || trimmed.is_empty()
        || trimmed.starts_with(['/', '{', ','])
}

/// Whether a block comes next: then a `/` before it ends the predicate.
fn before_block(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        let comment = if let Some(line) = rest.strip_prefix("//") {
            line.split_once('\n')
        } else if let Some(block) = rest.strip_prefix("/*") {
            block.split_once("*/")
        } else {
            return rest.starts_with('{');
        };
        let Some((_, after)) = comment else { return false };
        rest = after.trim_start();
    }
}

/// Where a predicate starts that stands right behind the function of a uprobe: `uprobe:./web:main.f/pid == 1/`. No path
/// or Go name ends in a slash, so text that does has one; it starts at the last slash before (Go names have slashes of
/// their own, `net/http.Get`), or after the closing quote.
fn glued_predicate(text: &str) -> Option<usize> {
    let body = text.strip_suffix('/')?;
    let function = body.match_indices(':').nth(1)?.0;
    let slash = match body.rfind("\"/") {
        Some(quote) => quote + 1,
        None => body.rfind('/')?,
    };
    (slash > function).then_some(slash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach_points(source: &str) -> Vec<String> {
        let lexed = lex(source);
        let tokens = lexed.items.iter().flat_map(|i| &i.tokens);
        tokens.filter(|t| matches!(t.tok, Tok::Attach(_))).map(|t| t.tok.to_string()).collect()
    }

    fn classes(source: &str) -> String {
        let lexed = lex(source);
        let tokens = lexed.items.iter().flat_map(|i| &i.tokens);
        tokens.map(|t| t.tok.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn attach_points_are_cut_out_of_the_text() {
        for (source, expected) in [
            ("begin { }", &["begin"][..]),
            ("begin{}", &["begin"]),
            ("uprobe:./web:main.(*T).M { }", &["uprobe:./web:main.(*T).M"]),
            ("uprobe:./bin:main.Map[*]{ }", &["uprobe:./bin:main.Map[*]"]),
            (
                "uprobe:./b:main.Map[go.shape.int,go.shape.string],end {}",
                &["uprobe:./b:main.Map[go.shape.int,go.shape.string]", "end"],
            ),
            ("uprobe:/path/a b:main.f { }", &["uprobe:/path/a b:main.f"]),
            ("uprobe:\"./a, b\":\"main.{\" /pid/ { }", &["uprobe:\"./a, b\":\"main.{\""]),
            ("uprobe:./web:main.f /arg0 > 1/ {}", &["uprobe:./web:main.f"]),
            ("uprobe:./web:main.f/arg0 > 1/ {}", &["uprobe:./web:main.f"]),
            ("uprobe:./web:net/http.Get/arg0/{}", &["uprobe:./web:net/http.Get"]),
            ("uprobe:./web:net/http.(*conn).serve {}", &["uprobe:./web:net/http.(*conn).serve"]),
            ("tracepoint:a:b/pid == 1/{}", &["tracepoint:a:b"]),
            ("tracepoint:a:b,\ntracepoint:c:d\n/pid/ {}", &["tracepoint:a:b", "tracepoint:c:d"]),
            ("interval:s:1, profile:hz:99, { }", &["interval:s:1", "profile:hz:99"]),
            ("uprobe:./web:main.* // each\n{ }", &["uprobe:./web:main.*"]),
            ("uprobe:./web:main.* /* each */ { }", &["uprobe:./web:main.*"]),
            ("#!/usr/bin/env gotrace\nBEGIN {}\nend\n{}", &["BEGIN", "end"]),
        ] {
            assert_eq!(attach_points(source), expected, "{source}");
            assert!(lex(source).problems.is_empty(), "{source}");
        }
    }

    #[test]
    fn predicates_end_before_a_block() {
        assert_eq!(classes("begin /1 / 2 == 0/ { $x = 4 / 2; }"), "begin / 1 / 2 == 0 / { $x = 4 / 2 ; }");
        let lexed = lex("begin /1/ // c\n { }");
        let last = lexed.items[0].tokens.iter().rev().nth(2).map(|t| t.tok);
        assert_eq!(last, Some(Tok::PredicateClose));
    }

    #[test]
    fn items_are_separate() {
        let lexed = lex("struct T { int x; };\nconfig = { max_strlen = 64 }\nbegin { } end { if (1) { } }");
        let sizes: Vec<usize> = lexed.items.iter().map(|i| i.tokens.len()).collect();
        assert_eq!(sizes, [7, 7, 3, 9]);
    }

    #[test]
    fn tokens_dump() {
        assert_text!(dump("u:./a:f /pid == 0x10/ { @x[comm] = \"a\\n\"; // c\n }"));
    }

    #[test]
    fn text_that_is_no_token() {
        let source = "begin { $x = `1; 'a' }\nbegin { \"abc }\nend { /* \n";
        assert_text!(lex(source).problems.render("a.gt", source, false));
    }
}
