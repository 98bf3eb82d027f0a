//! The workshop: labs about tracing, each with a program to trace, embedded in the binary (`gotrace workshop`).
//!
//! Texts, programs and solutions are the files below `docs/workshop`; the table of labs is [`LABS`]. What a script must show to solve
//! a lab is a list of [`Need`]s: [`judge()`] compares a script's [`Answers`] with the [`Facts`] that the program wrote down
//! while the script traced it. Nothing here does any I/O; setting up a lab and running a script is the command's work.

mod answers;
mod facts;
mod judge;
mod labs;

pub use answers::Answers;
pub use facts::Facts;
pub use judge::{Finding, judge};
pub use labs::{LABS, find};

/// A lab.
#[derive(Clone, Copy, Debug)]
pub struct Lab {
    /// Its number, from 1.
    pub number: usize,
    /// One line about it.
    pub title: &'static str,
    /// How long it takes a class, in minutes.
    pub minutes: u32,
    /// The page, in Markdown.
    pub text: &'static str,
    /// The program that is traced.
    pub program: Program,
    /// A script that solves it.
    pub solution: &'static str,
    /// What a script must show.
    pub needs: &'static [Need],
}

/// A program that labs trace.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of the binary.
    pub name: &'static str,
    /// What it is written in.
    pub language: Language,
    /// Its source files: path in the folder of the program, and text.
    pub files: &'static [(&'static str, &'static str)],
}

/// What a program is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// Go, one module with the standard library only.
    Go,
    /// C, one file.
    C,
}

/// Something that a solution must show.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// What, to be read behind "shows".
    pub what: &'static str,
    /// What to look at when it is missing.
    pub hint: &'static str,
    /// How it is compared with the facts.
    pub how: How,
}

/// How answers are compared with facts. Kinds and columns are those of [`Facts`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// As many lines are printed as there are facts of this kind.
    Lines(&'static str),
    /// For each fact of this kind a line is printed that has all its words, and for each such line there is a fact:
    /// no more lines are printed that have the words of a fact.
    LineEach(&'static str),
    /// For each group of facts of this kind, the same in the columns `by`, a map has an entry whose key has these words and whose value
    /// is the group's `value`.
    Entry {
        /// The kind of the facts.
        fact: &'static str,
        /// The columns with the words of the key, from 0; none for a map without a key.
        by: &'static [usize],
        /// What the entry's value is.
        value: Expected,
    },
}

/// What the value of an entry is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// The number of facts in the group: a count, or the number of samples in a histogram.
    Count,
    /// The number of facts as the samples of a histogram, and nothing else.
    Samples,
    /// The sum of this column, exactly.
    Sum(usize),
    /// The sum of this column, measured at places that are a little apart: from three quarters of it to one and a half times as much.
    About(usize),
}
