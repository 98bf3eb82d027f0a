//! The tokens of the language, as [`crate::lexer`] produces and the grammar consumes them.
//!
//! Numbers, strings and names are slices of the source; [`crate::literal`] decodes them. Attach points are no regular
//! language (paths, Go names with brackets), so the lexer cuts them out by hand and makes [`Tok::Attach`] of them.

use logos::{FilterResult, Lexer, Logos};
use std::fmt;

/// What is wrong with text that is no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LexError {
    /// A character that starts no token.
    #[default]
    UnknownCharacter,
    /// `/*` without `*/`.
    UnclosedComment,
    /// `"` without a second one on the same line.
    UnclosedString,
}

/// A token.
#[derive(Logos, Clone, Copy, PartialEq, Debug)]
#[logos(error = LexError)]
#[logos(skip r"[ \t\r\n\f]+")]
#[logos(skip(r"//[^\n]*", allow_greedy = true))]
#[allow(missing_docs, reason = "the attribute of a variant is its documentation")]
pub enum Tok<'i> {
    #[token("{")]
    LBrace,
    #[token("}")]
    RBrace,
    #[token("(")]
    LParen,
    #[token(")")]
    RParen,
    #[token("[")]
    LBracket,
    #[token("]")]
    RBracket,
    #[token(";")]
    Semi,
    #[token(",")]
    Comma,
    #[token(":")]
    Colon,
    #[token("?")]
    Question,
    #[token(".")]
    Dot,
    #[token("..")]
    DotDot,
    #[token("->")]
    Arrow,

    #[token("=")]
    Assign,
    #[token("+=")]
    AddAssign,
    #[token("-=")]
    SubAssign,
    #[token("*=")]
    MulAssign,
    #[token("/=")]
    DivAssign,
    #[token("%=")]
    ModAssign,
    #[token("<<=")]
    ShlAssign,
    #[token(">>=")]
    ShrAssign,
    #[token("&=")]
    AndAssign,
    #[token("|=")]
    OrAssign,
    #[token("^=")]
    XorAssign,

    #[token("==")]
    Eq,
    #[token("!=")]
    Ne,
    #[token("<")]
    Lt,
    #[token("<=")]
    Le,
    #[token(">")]
    Gt,
    #[token(">=")]
    Ge,
    #[token("<<")]
    Shl,
    #[token(">>")]
    Shr,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("&")]
    Amp,
    #[token("|")]
    Pipe,
    #[token("^")]
    Caret,
    #[token("&&")]
    AndAnd,
    #[token("||")]
    OrOr,
    #[token("!")]
    Bang,
    #[token("~")]
    Tilde,
    #[token("++")]
    PlusPlus,
    #[token("--")]
    MinusMinus,

    #[token("if")]
    If,
    #[token("else")]
    Else,
    #[token("let")]
    Let,
    #[token("return")]
    Return,
    #[token("unroll")]
    Unroll,
    #[token("while")]
    While,
    #[token("for")]
    For,
    #[token("break")]
    Break,
    #[token("continue")]
    Continue,
    #[token("comptime")]
    Comptime,
    #[token("struct")]
    Struct,
    #[token("union")]
    Union,
    #[token("enum")]
    Enum,
    #[token("true")]
    True,
    #[token("false")]
    False,
    #[token("sizeof")]
    Sizeof,
    #[token("offsetof")]
    Offsetof,
    #[token("typeof")]
    Typeof,
    #[token("container_of")]
    ContainerOf,
    #[token("__attribute__")]
    Attribute,
    /// `const`, `volatile`: understood and without meaning.
    #[regex("const|volatile|__const|__volatile__|__restrict")]
    Qualifier,

    /// A name of a scalar type, or a word of one (`unsigned`).
    #[regex(
        "u?int(8|16|32|64)(_t)?|bool|_Bool|void|char|short|int|long|unsigned|signed|float|double|__int128"
    )]
    #[regex("s?size_t|u?intptr_t|[us](8|16|32|64)|__[us](8|16|32|64)|string|buffer")]
    TypeName(&'i str),
    /// Any other name; in namespaces for those of C++ and Rust.
    #[regex("[a-zA-Z_][a-zA-Z0-9_]*(::[a-zA-Z_][a-zA-Z0-9_]*)*")]
    Ident(&'i str),
    /// `$x`
    #[regex(r"\$[a-zA-Z_][a-zA-Z0-9_]*")]
    Var(&'i str),
    /// `$1`
    #[regex(r"\$[0-9]+")]
    Param(&'i str),
    /// `$#`
    #[token("$#")]
    ParamCount,
    /// `@x`, `@`
    #[regex("@[a-zA-Z_]?[a-zA-Z0-9_]*")]
    Map(&'i str),
    /// A number with its suffix or unit; may be malformed.
    #[regex("[0-9][0-9a-zA-Z_]*")]
    Number(&'i str),
    /// A string literal with its quotes.
    #[regex(r#""([^"\\\n]|\\[^\n])*""#)]
    Str(&'i str),

    /// `macro` at the start of an item; made by the lexer, elsewhere it is a name.
    Macro,
    /// `fn` at the start of an item; made by the lexer, elsewhere it is a name.
    Fn,
    /// `import` at the start of an item; made by the lexer, elsewhere it is a name.
    Import,
    /// `typedef` at the start of an item; made by the lexer, elsewhere it is a name.
    Typedef,
    /// The raw text of an attach point; made by the lexer's probe mode only.
    Attach(&'i str),
    /// The `/` before a predicate; made by the lexer's probe mode only.
    PredicateOpen,
    /// The `/` after a predicate: one that stands before `{`.
    PredicateClose,

    #[token("/*", block_comment)]
    #[doc(hidden)]
    Comment,
    #[regex(r#""([^"\\\n]|\\[^\n])*"#, unclosed_string)]
    #[doc(hidden)]
    UnclosedString,
}

/// Skips to the end of a block comment.
fn block_comment<'i>(lexer: &mut Lexer<'i, Tok<'i>>) -> FilterResult<(), LexError> {
    match lexer.remainder().find("*/") {
        Some(at) => {
            lexer.bump(at + 2);
            FilterResult::Skip
        }
        None => {
            lexer.bump(lexer.remainder().len());
            FilterResult::Error(LexError::UnclosedComment)
        }
    }
}

/// A quote without its partner is an error, never a token.
fn unclosed_string<'i>(_: &mut Lexer<'i, Tok<'i>>) -> Result<(), LexError> {
    Err(LexError::UnclosedString)
}

/// How a token is named in an error message: quoted text for fixed tokens, a description for the others.
impl fmt::Display for Tok<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = match *self {
            Tok::LBrace => "{",
            Tok::RBrace => "}",
            Tok::LParen => "(",
            Tok::RParen => ")",
            Tok::LBracket => "[",
            Tok::RBracket => "]",
            Tok::Semi => ";",
            Tok::Comma => ",",
            Tok::Colon => ":",
            Tok::Question => "?",
            Tok::Dot => ".",
            Tok::DotDot => "..",
            Tok::Arrow => "->",
            Tok::Assign => "=",
            Tok::AddAssign => "+=",
            Tok::SubAssign => "-=",
            Tok::MulAssign => "*=",
            Tok::DivAssign => "/=",
            Tok::ModAssign => "%=",
            Tok::ShlAssign => "<<=",
            Tok::ShrAssign => ">>=",
            Tok::AndAssign => "&=",
            Tok::OrAssign => "|=",
            Tok::XorAssign => "^=",
            Tok::Eq => "==",
            Tok::Ne => "!=",
            Tok::Lt => "<",
            Tok::Le => "<=",
            Tok::Gt => ">",
            Tok::Ge => ">=",
            Tok::Shl => "<<",
            Tok::Shr => ">>",
            Tok::Plus => "+",
            Tok::Minus => "-",
            Tok::Star => "*",
            Tok::Slash | Tok::PredicateOpen | Tok::PredicateClose => "/",
            Tok::Percent => "%",
            Tok::Amp => "&",
            Tok::Pipe => "|",
            Tok::Caret => "^",
            Tok::AndAnd => "&&",
            Tok::OrOr => "||",
            Tok::Bang => "!",
            Tok::Tilde => "~",
            Tok::PlusPlus => "++",
            Tok::MinusMinus => "--",
            Tok::If => "if",
            Tok::Else => "else",
            Tok::Let => "let",
            Tok::Return => "return",
            Tok::Unroll => "unroll",
            Tok::While => "while",
            Tok::For => "for",
            Tok::Break => "break",
            Tok::Continue => "continue",
            Tok::Comptime => "comptime",
            Tok::Macro => "macro",
            Tok::Fn => "fn",
            Tok::Import => "import",
            Tok::Typedef => "typedef",
            Tok::Struct => "struct",
            Tok::Union => "union",
            Tok::Enum => "enum",
            Tok::True => "true",
            Tok::False => "false",
            Tok::Sizeof => "sizeof",
            Tok::Offsetof => "offsetof",
            Tok::Typeof => "typeof",
            Tok::ContainerOf => "container_of",
            Tok::Attribute => "__attribute__",
            Tok::ParamCount => "$#",
            Tok::Qualifier => "const",
            Tok::Comment => "comment",
            Tok::UnclosedString => "\"",
            Tok::TypeName(text)
            | Tok::Ident(text)
            | Tok::Var(text)
            | Tok::Param(text)
            | Tok::Map(text)
            | Tok::Number(text)
            | Tok::Str(text)
            | Tok::Attach(text) => text,
        };
        f.write_str(fixed)
    }
}

impl Tok<'_> {
    /// What kind of token this is, for `-d tokens`.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Tok::TypeName(_) => "type",
            Tok::Ident(_) => "name",
            Tok::Var(_) => "variable",
            Tok::Param(_) | Tok::ParamCount => "parameter",
            Tok::Map(_) => "map",
            Tok::Number(_) => "number",
            Tok::Str(_) => "string",
            Tok::Attach(_) => "attach point",
            Tok::PredicateOpen => "predicate",
            Tok::PredicateClose => "end of predicate",
            t if t.to_string().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => "keyword",
            _ => "symbol",
        }
    }
}
