//! The lines that a problem shows. Of a very long line only the surroundings of what is meant are shown: a script of one line with a
//! thousand warnings would else be written a thousand times.

use codespan_reporting::files::{Error, Files};
use std::ops::Range;

/// Longest line in bytes that is shown whole.
const LONGEST: usize = 400;
/// What is shown of a longer one: bytes before the place, and all in all.
const BEFORE: usize = 60;
const SHOWN: usize = 240;

/// The files of a script, of which one line may be cut.
#[derive(Debug)]
pub(crate) struct Excerpts<'a> {
    /// Names and texts.
    files: Vec<(&'a str, &'a str)>,
    cut: Option<Cut>,
}

/// A line that is not shown whole.
#[derive(Debug)]
struct Cut {
    file: usize,
    line: usize,
    shown: Range<usize>,
}

impl<'a> Excerpts<'a> {
    /// Whole files.
    pub(crate) fn new(files: Vec<(&'a str, &'a str)>) -> Excerpts<'a> {
        Excerpts { files, cut: None }
    }

    /// Shows only the surroundings of `place` if its line is very long.
    pub(crate) fn cut(&mut self, file: usize, place: Range<usize>) {
        let Ok(line) = self.line_of(file, place.start) else { return };
        let (Ok(whole), Some((_, text))) = (self.whole_line(file, line), self.files.get(file)) else {
            return;
        };
        if whole.len() <= LONGEST || place.end > whole.end {
            return;
        }
        let boundary = |mut at: usize| {
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(place.start.saturating_sub(BEFORE).max(whole.start));
        let end = boundary((start + SHOWN).min(whole.end));
        self.cut = Some(Cut { file, line, shown: start..end });
    }

    /// The part of a place that is shown; `None` when nothing of it is.
    pub(crate) fn shown(&self, file: usize, place: Range<usize>) -> Option<Range<usize>> {
        let Some(cut) = self.cut.as_ref().filter(|cut| cut.file == file) else { return Some(place) };
        let on_the_line = self.line_of(file, place.start).is_ok_and(|line| line == cut.line);
        if !on_the_line {
            return Some(place);
        }
        let range = place.start..place.end.min(cut.shown.end);
        (range.start >= cut.shown.start && range.start <= range.end).then_some(range)
    }

    /// The line that a byte is on.
    fn line_of(&self, file: usize, at: usize) -> Result<usize, Error> {
        let (_, text) = self.files.get(file).ok_or(Error::FileMissing)?;
        let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
        Ok(before.iter().filter(|byte| **byte == b'\n').count())
    }

    /// The bytes of a line, its end included.
    fn whole_line(&self, file: usize, line: usize) -> Result<Range<usize>, Error> {
        let (_, text) = self.files.get(file).ok_or(Error::FileMissing)?;
        let mut start = 0;
        for (index, content) in text.split_inclusive('\n').enumerate() {
            if index == line {
                return Ok(start..start + content.len());
            }
            start += content.len();
        }
        // The empty line at the end.
        Ok(start..start)
    }
}

impl<'a> Files<'a> for Excerpts<'a> {
    type FileId = usize;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, file: usize) -> Result<&'a str, Error> {
        self.files.get(file).map(|(name, _)| *name).ok_or(Error::FileMissing)
    }

    fn source(&'a self, file: usize) -> Result<&'a str, Error> {
        self.files.get(file).map(|(_, text)| *text).ok_or(Error::FileMissing)
    }

    fn line_index(&'a self, file: usize, at: usize) -> Result<usize, Error> {
        self.line_of(file, at)
    }

    fn column_number(&'a self, file: usize, line: usize, at: usize) -> Result<usize, Error> {
        let whole = self.whole_line(file, line)?;
        let (_, text) = self.files.get(file).ok_or(Error::FileMissing)?;
        let before = text.get(whole.start..at.clamp(whole.start, whole.end)).unwrap_or_default();
        Ok(before.chars().count() + 1)
    }

    fn line_range(&'a self, file: usize, line: usize) -> Result<Range<usize>, Error> {
        match &self.cut {
            Some(cut) if cut.file == file && cut.line == line => Ok(cut.shown.clone()),
            _ => self.whole_line(file, line),
        }
    }
}
