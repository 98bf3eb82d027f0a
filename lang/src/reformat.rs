//! `gotrace fmt`: a script in the usual layout. It moves white space only: the tokens and comments stay as they are, in their order.
//!
//! A statement stands on a line of its own, four spaces deep for each brace around it. A block that is written on one line stays there
//! when it fits; line breaks inside of statements and single empty lines are kept.

use crate::diag::{Problem, Problems};
use crate::lexer::{self, Token};
use crate::token::Tok;

/// Columns that a block on one line may fill.
const WIDTH: usize = 100;
/// Spaces for each brace.
const INDENT: usize = 4;

/// The script in the usual layout.
///
/// # Errors
/// Its syntax errors, and lines of a preprocessor inside of braces.
pub fn reformat(source_name: &str, source: &str) -> Result<String, Problems> {
    let (_, problems) = crate::parse(source_name, source);
    if problems.has_errors() {
        return Err(problems);
    }
    let parts = parts(source);
    let mut out = String::new();
    for (n, part) in parts.iter().enumerate() {
        let text = match part {
            Part::Directive(line) => {
                out.push_str(line.trim_end());
                out.push('\n');
                continue;
            }
            Part::Items(text) => *text,
        };
        let (behind, before) = (n > 0, n + 1 < parts.len());
        let blank = |space: &str, breaks: usize| space.matches('\n').count() >= breaks;
        let start = &text[..text.len() - text.trim_start().len()];
        if behind && blank(start, 1) && (before || start.len() < text.len()) {
            out.push('\n');
        }
        let body = items(text)?;
        out.push_str(body.trim_end());
        if !body.is_empty() {
            out.push('\n');
        }
        if before && start.len() < text.len() && blank(&text[text.trim_end().len()..], 2) {
            out.push('\n');
        }
    }
    Ok(out)
}

/// A part of a script.
enum Part<'s> {
    /// Lines of items.
    Items(&'s str),
    /// A line of a preprocessor.
    Directive(&'s str),
}

/// Words behind the `#` of a preprocessor's line.
const DIRECTIVES: [&str; 9] =
    ["include", "define", "undef", "ifdef", "ifndef", "if", "elif", "else", "endif"];

fn is_directive(line: &str) -> bool {
    let word = line.trim_start().strip_prefix('#').map(str::trim_start);
    let word = word.map(|rest| rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default());
    word.is_some_and(|word| DIRECTIVES.contains(&word))
}

/// Cuts a script at the lines of a preprocessor, which stay as they are.
fn parts(source: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in source.split_inclusive('\n') {
        let end = at + line.len();
        if is_directive(line) {
            if start < at {
                parts.push(Part::Items(&source[start..at]));
            }
            parts.push(Part::Directive(line));
            start = end;
        }
        at = end;
    }
    if start < source.len() || parts.is_empty() {
        parts.push(Part::Items(&source[start..]));
    }
    parts
}

/// Items in the usual layout.
fn items(source: &str) -> Result<String, Problems> {
    let lexed = lexer::lex(source);
    if lexed.problems.has_errors() || lexed.items.iter().any(|item| item.unclosed) {
        let problem = Problem::general("`#define` or `#ifdef` inside of braces cannot be formatted");
        return Err(problem.help("let it stand between the probes").into());
    }
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut starts = Vec::new();
    for item in &lexed.items {
        starts.push(tokens.len());
        tokens.extend(&item.tokens);
    }
    let mut writer = Writer::new(source, &tokens, &starts);
    writer.run();
    Ok(writer.out)
}

/// Comments between two tokens, and the line breaks around them.
#[derive(Default)]
struct Gap<'s> {
    /// Each with the number of line breaks before it.
    comments: Vec<(usize, &'s str)>,
    /// Line breaks behind the last comment, or all of them.
    breaks: usize,
    /// Semicolons between top-level items, which are no tokens.
    rest: bool,
}

impl<'s> Gap<'s> {
    fn of(mut text: &'s str) -> Gap<'s> {
        let mut gap = Gap::default();
        loop {
            let trimmed = text.trim_start();
            gap.breaks += text[..text.len() - trimmed.len()].matches('\n').count();
            let len = if trimmed.starts_with("//") || trimmed.starts_with("#!") {
                trimmed.find('\n').unwrap_or(trimmed.len())
            } else if trimmed.starts_with("/*") {
                trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
            } else if let Some(rest) = trimmed.strip_prefix(';') {
                gap.rest = true;
                text = rest;
                continue;
            } else {
                return gap;
            };
            gap.comments.push((std::mem::take(&mut gap.breaks), trimmed[..len].trim_end()));
            text = &trimmed[len..];
        }
    }
}

/// What a brace encloses.
#[derive(Clone, Copy, PartialEq)]
enum Brace {
    /// On one line.
    Inline,
    /// Statements, members or settings, ended by `;`.
    Lines,
    /// Enumerators, ended by `,`.
    Values,
}

struct Writer<'s> {
    source: &'s str,
    tokens: &'s [Token<'s>],
    /// Index of the first token of each item.
    starts: &'s [usize],
    /// The partner of each bracket.
    partner: Vec<Option<usize>>,
    out: String,
    braces: Vec<Brace>,
    /// Open parentheses and brackets.
    nesting: usize,
    /// Inside of a predicate.
    predicate: bool,
}

impl<'s> Writer<'s> {
    fn new(source: &'s str, tokens: &'s [Token<'s>], starts: &'s [usize]) -> Writer<'s> {
        let mut partner = vec![None; tokens.len()];
        let mut open = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            match token.tok {
                Tok::LBrace | Tok::LParen | Tok::LBracket => open.push(i),
                Tok::RBrace | Tok::RParen | Tok::RBracket => {
                    if let Some(start) = open.pop() {
                        partner[start] = Some(i);
                        partner[i] = Some(start);
                    }
                }
                _ => {}
            }
        }
        Writer {
            source,
            tokens,
            starts,
            partner,
            out: String::new(),
            braces: Vec::new(),
            nesting: 0,
            predicate: false,
        }
    }

    fn run(&mut self) {
        let mut end = 0;
        for (i, token) in self.tokens.iter().enumerate() {
            let gap = Gap::of(self.source.get(end..token.span.start as usize).unwrap_or_default());
            end = token.span.end as usize;
            if token.tok == Tok::RBrace {
                self.braces.pop();
            }
            self.separate(i, &gap);
            if matches!(token.tok, Tok::RParen | Tok::RBracket) {
                self.nesting = self.nesting.saturating_sub(1);
            }
            self.out.push_str(self.source.get(token.span.range()).unwrap_or_default().trim_end());
            match token.tok {
                Tok::LBrace => {
                    let brace = self.brace(i);
                    self.braces.push(brace);
                }
                Tok::LParen | Tok::LBracket => self.nesting += 1,
                Tok::PredicateOpen => self.predicate = true,
                Tok::PredicateClose => self.predicate = false,
                _ => {}
            }
        }
        let gap = Gap::of(self.source.get(end..).unwrap_or_default());
        if gap.rest {
            self.out.push(';');
        }
        self.comments(&gap, !self.out.is_empty());
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    /// What stands between a token and the one before it.
    fn separate(&mut self, i: usize, gap: &Gap<'_>) {
        if gap.rest && i > 0 {
            self.out.push(';');
        }
        let after_comment = self.comments(gap, i > 0);
        let Some(before) = i.checked_sub(1) else { return };
        let (last, tok) = (self.tokens[before].tok, self.tokens[i].tok);
        let first_of_item = self.starts.contains(&i);
        let inline = self.braces.contains(&Brace::Inline)
            || (last == Tok::LBrace && self.brace(before) == Brace::Inline);
        // A brace that closes a block on one line has left the list already.
        let closes_inline =
            tok == Tok::RBrace && self.partner[i].is_some_and(|open| self.brace(open) == Brace::Inline);
        let must = first_of_item
            || !inline
                && !closes_inline
                && self.nesting_allows(last, tok)
                && match (last, tok) {
                    (_, Tok::RBrace) => last != Tok::LBrace,
                    (Tok::LBrace, _) => true,
                    (Tok::Semi, _) => true,
                    (Tok::Comma, _) => self.braces.last() == Some(&Brace::Values),
                    (Tok::RBrace, _) => self.ends_statement(before, tok),
                    _ => false,
                };
        if after_comment || must {
            let empty = gap.breaks > 1 && last != Tok::LBrace && tok != Tok::RBrace;
            let continued = !must && !matches!(tok, Tok::RBrace);
            return self.line(
                empty && !(after_comment && gap.comments.is_empty()),
                continued && self.in_statement(tok),
            );
        }
        if gap.breaks > 0 && !inline && !closes_inline && tok != Tok::LBrace && last != Tok::LBrace {
            return self.line(false, self.in_statement(tok));
        }
        if self.space(before, i) {
            self.out.push(' ');
        }
    }

    /// Whether a line may break here: not in the parentheses of a call, unless it is in a block there.
    fn nesting_allows(&self, last: Tok<'_>, tok: Tok<'_>) -> bool {
        self.nesting == 0 || matches!(last, Tok::LBrace | Tok::Semi | Tok::RBrace) || tok == Tok::RBrace
    }

    /// Whether a line that goes on at this token is a part of a statement.
    fn in_statement(&self, tok: Tok<'_>) -> bool {
        !matches!(tok, Tok::Attach(_) | Tok::PredicateOpen)
            && (!self.braces.is_empty() || self.nesting > 0 || self.predicate)
    }

    /// Writes comments; gives whether the last one must end its line.
    fn comments(&mut self, gap: &Gap<'_>, any_before: bool) -> bool {
        let mut ends_line = false;
        for (n, (breaks, text)) in gap.comments.iter().enumerate() {
            if *breaks == 0 && (n > 0 || any_before) && !ends_line {
                self.out.push(' ');
            } else if n > 0 || any_before {
                self.line(*breaks > 1 && !self.out.trim_end().ends_with('{'), false);
            }
            self.out.push_str(text);
            ends_line = !text.starts_with("/*");
        }
        match gap.comments.last() {
            Some(_) if !any_before => {
                self.line(gap.breaks > 1, false);
                false
            }
            Some(_) => ends_line || gap.breaks > 0,
            None => false,
        }
    }

    /// Begins a line.
    fn line(&mut self, empty: bool, continued: bool) {
        let kept = self.out.trim_end_matches([' ', '\n']).len();
        self.out.truncate(kept);
        self.out.push_str(if empty { "\n\n" } else { "\n" });
        let depth = self.braces.iter().filter(|b| **b != Brace::Inline).count() + usize::from(continued);
        self.out.push_str(&" ".repeat(INDENT * depth));
    }

    /// How the block of an opening brace is written.
    fn brace(&self, open: usize) -> Brace {
        let close = self.partner[open].unwrap_or(open);
        let (start, end) = (self.tokens[open].span.start as usize, self.tokens[close].span.end as usize);
        let text = self.source.get(start..end).unwrap_or_default();
        let line_start = self.source.get(..start).and_then(|s| s.rfind('\n')).map_or(0, |n| n + 1);
        let fits = end - line_start <= WIDTH;
        if !text.contains('\n') && fits && !text.contains("//") && !text.contains("/*") {
            return Brace::Inline;
        }
        let mut before = self.tokens[..open].iter().rev().take(2).map(|t| t.tok);
        match (before.next(), before.next()) {
            (Some(Tok::Enum), _) | (_, Some(Tok::Enum)) => Brace::Values,
            _ => Brace::Lines,
        }
    }

    /// Whether the `}` at an index ends a statement, for what follows.
    fn ends_statement(&self, close: usize, next: Tok<'_>) -> bool {
        let statement = self.partner[close].is_some_and(|open| {
            let before = open.checked_sub(1).map(|i| self.tokens[i].tok);
            // Behind these, a brace opens a block with a value, or belongs to a declaration whose name follows.
            !matches!(
                before,
                Some(Tok::Assign | Tok::Comma | Tok::LParen | Tok::Question | Tok::Colon | Tok::Return)
            )
        });
        let goes_on = matches!(
            next,
            Tok::Semi
                | Tok::Comma
                | Tok::RParen
                | Tok::RBracket
                | Tok::Else
                | Tok::Colon
                | Tok::Attribute
                | Tok::Dot
        );
        statement && !goes_on && !(matches!(next, Tok::Ident(_) | Tok::Star) && self.in_declaration(close))
    }

    /// Whether a token belongs to the declaration of a type: there a name may follow a `}`, and stars belong to types.
    fn in_declaration(&self, i: usize) -> bool {
        let item = self.starts.partition_point(|start| *start <= i);
        let first = item.checked_sub(1).and_then(|item| self.tokens.get(*self.starts.get(item)?));
        matches!(first.map(|t| t.tok), Some(Tok::Struct | Tok::Union | Tok::Enum | Tok::Typedef))
    }

    /// Whether a token stands in brackets, as the size of an array does.
    fn in_brackets(&self, i: usize) -> bool {
        let before = self.tokens[..i].iter().enumerate().rev();
        let mut brackets = before.filter(|(_, t)| matches!(t.tok, Tok::LBracket | Tok::LBrace | Tok::Semi));
        brackets.next().is_some_and(|(open, t)| t.tok == Tok::LBracket && self.partner[open] > Some(i))
    }

    /// Whether a space stands between two neighbours on a line.
    fn space(&self, before: usize, i: usize) -> bool {
        let (last, tok) = (self.tokens[before].tok, self.tokens[i].tok);
        match (last, tok) {
            (Tok::PredicateOpen, _) | (_, Tok::PredicateClose) => false,
            (Tok::LBrace, Tok::RBrace) => self.adjacent(before, i).is_some(),
            (Tok::LParen | Tok::LBracket | Tok::Dot | Tok::Arrow | Tok::DotDot, _) => false,
            (Tok::Comma, Tok::DotDot) => true,
            (
                _,
                Tok::RParen | Tok::RBracket | Tok::Comma | Tok::Semi | Tok::Dot | Tok::Arrow | Tok::DotDot,
            ) => false,
            (Tok::Ident(_), Tok::LParen) if self.in_declaration(i) && self.is_star(i + 1) => true,
            (Tok::Ident(_) | Tok::Sizeof | Tok::Attribute, Tok::LParen) => false,
            (Tok::RParen, Tok::LParen) if self.in_declaration(i) => false,
            (
                Tok::Map(_) | Tok::RBracket | Tok::RParen | Tok::Var(_) | Tok::Ident(_) | Tok::TypeName(_),
                Tok::LBracket,
            ) => false,
            (_, Tok::PlusPlus | Tok::MinusMinus) if self.is_operand(before) => false,
            (Tok::PlusPlus | Tok::MinusMinus, _) if !self.is_postfix(before) => false,
            (Tok::Colon, _) => true,
            (_, Tok::Colon) => !self.declares_type(i),
            (Tok::Bang | Tok::Tilde, _) => false,
            (Tok::Minus | Tok::Amp, _) if !self.is_binary(before) => false,
            (Tok::Star, _) if self.is_pointer(before) => matches!(tok, Tok::Assign | Tok::LBrace),
            (Tok::Star, _) if !self.is_binary(before) => false,
            (Tok::RParen, _) if self.is_cast(before) => false,
            _ => true,
        }
    }

    /// `Some` when there is white space between two tokens in the source.
    fn adjacent(&self, before: usize, i: usize) -> Option<()> {
        (self.tokens[before].span.end < self.tokens[i].span.start).then_some(())
    }

    /// Whether a value ends with this token.
    fn is_operand(&self, i: usize) -> bool {
        match self.tokens[i].tok {
            Tok::RParen => !self.is_cast(i),
            Tok::PlusPlus | Tok::MinusMinus => self.is_postfix(i),
            tok => matches!(
                tok,
                Tok::Ident(_)
                    | Tok::Var(_)
                    | Tok::Map(_)
                    | Tok::Param(_)
                    | Tok::ParamCount
                    | Tok::Number(_)
                    | Tok::Str(_)
                    | Tok::True
                    | Tok::False
                    | Tok::RBracket
                    | Tok::TypeName(_)
            ),
        }
    }

    fn is_postfix(&self, i: usize) -> bool {
        i > 0 && self.is_operand(i - 1)
    }

    fn is_binary(&self, i: usize) -> bool {
        i > 0 && self.is_operand(i - 1)
    }

    /// A star that belongs to a type: behind the name of one.
    fn is_pointer(&self, i: usize) -> bool {
        let before = |n: usize| i.checked_sub(n).map(|j| self.tokens[j].tok);
        match (before(2), before(1)) {
            (_, Some(Tok::TypeName(_) | Tok::Qualifier))
            | (Some(Tok::Struct | Tok::Union | Tok::Enum), Some(Tok::Ident(_))) => true,
            (_, Some(Tok::Star)) => self.is_pointer(i - 1),
            _ => self.in_declaration(i) && !self.in_brackets(i),
        }
    }

    fn is_star(&self, i: usize) -> bool {
        self.tokens.get(i).is_some_and(|t| t.tok == Tok::Star)
    }

    /// Whether a `)` ends a cast.
    fn is_cast(&self, close: usize) -> bool {
        let Some(open) = self.partner[close] else { return false };
        let inside = &self.tokens[open + 1..close];
        let called = open > 0 && matches!(self.tokens[open - 1].tok, Tok::Ident(_) | Tok::Sizeof);
        !called
            && matches!(
                inside.first().map(|t| t.tok),
                Some(Tok::TypeName(_) | Tok::Struct | Tok::Union | Tok::Enum | Tok::Qualifier)
            )
    }

    /// Whether a colon stands between a variable and its type (`let $x: T`).
    fn declares_type(&self, colon: usize) -> bool {
        colon >= 2 && self.tokens[colon - 2].tok == Tok::Let
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(source: &str) -> String {
        let once = reformat("t.gt", source).unwrap_or_else(|p| panic!("{}", p.render("t.gt", source, false)));
        let texts = |s: &str| -> Vec<String> {
            lexer::lex(s).items.iter().flat_map(|i| &i.tokens).map(|t| t.tok.to_string()).collect()
        };
        assert_eq!(texts(&once), texts(source), "the tokens of {source}");
        let again = reformat("t.gt", &once).unwrap_or_else(|p| panic!("{}", p.render("t.gt", &once, false)));
        assert_eq!(again, once, "formatting twice");
        once
    }

    /// The tools, and bpftrace's where its package is installed.
    #[test]
    fn every_script_survives() {
        let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts");
        let mut seen = 0;
        for folder in [tree, "/usr/share/bpftrace/tools", "/usr/sbin"] {
            let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            for path in files.filter(|path| path.extension().is_some_and(|e| e == "gt" || e == "bt")) {
                let source = std::fs::read_to_string(&path).unwrap_or_default();
                let tree = |source: &str| crate::parse("t.gt", source).0.to_string();
                let once = formatted(&source);
                assert_eq!(tree(&once), tree(&source), "{}", path.display());
                seen += 1;
            }
        }
        assert!(seen > 20, "only {seen} scripts");
    }

    #[test]
    fn layout() {
        assert_text!(formatted(
            "#!/usr/bin/env gotrace\n// A comment.\n\n\nstruct T{uint64 a;char *b;\nint c[4];};config={max_strlen=64;}\n\
             begin{printf(\"%d\\n\",1+2*3);  $x=-1;@m[ $x,2 ]++;// behind\n\n\n/* own line */ if($x==1){print(1);}else{\nprint( 2 );}\n\
             for($i:0..5){@a[$i]=(uint8 *)arg0;}\nlet $y:uint64=*(uint64*)arg0;$z=$y?1:2; while($z){$z--;break}}\n\
             uprobe:./a:main.f,\nuprobe:./a:main.g / arg0>1&&!pid /{ @[comm]=count() }\n// at the end\n"
        ));
    }

    #[test]
    fn declarations() {
        assert_text!(formatted(
            "typedef struct{int a;const char*const b;}foo_t,*foo_p;\ntypedef int(*fn_t)(int,char*x,void(*cb)(int),...);struct F;\n\
             struct __attribute__((packed,aligned(4)))T{fn_t f;int*(*g[3])(void);int m[2*3][N*2];enum{P,Q=7,}y:3;\n\
             struct{char c;}in,*out;foo_t z __attribute__((aligned(8)));foo_p*zz;int:0;union{int w;};foo_t(*h)(foo_t*);};\n"
        ));
    }

    #[test]
    fn line_breaks_in_statements_stay() {
        assert_text!(formatted(
            "begin {\n  printf(\"%d %d\\n\",\n  1,\n     2);\n  $x = { let $a = 1;\n $a + 1 };\n  print($x); }\nend { }\n"
        ));
    }

    #[test]
    fn lines_of_a_preprocessor_stay() {
        assert_text!(formatted(
            "#!/usr/bin/env bpftrace\n// A comment.\n\n\n#ifndef BPFTRACE_HAVE_BTF\n#include <linux/socket.h>\nstruct T{int a;\n};\n\n# else\n\
             // types\n\n\n#define AF_INET   2 \n#define LONG 12\n#endif\nbegin{print( AF_INET );}\n\n#ifdef X\n\n\nend{}\n#endif\n\n"
        ));
        assert!(reformat("t.gt", "begin {\n#ifdef X\n}\n#endif\n}").is_err());
    }

    #[test]
    fn errors_are_told() {
        assert!(reformat("t.gt", "begin { $x = ; }").is_err());
    }
}
