//! The lines that a problem shows. Of a very long line only the surroundings of what is meant are shown: a script of one line with a
//! thousand warnings would else be written a thousand times.

use crate::source::{Imported, Part};
use crate::span::Span;
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
    imported: &'a Imported,
    files: Vec<File<'a>>,
    cut: Option<Cut>,
}

/// A file and its lines.
#[derive(Debug)]
struct File<'a> {
    part: Part<'a>,
    /// Where each line starts; behind a last line break is an empty line.
    starts: Vec<usize>,
}

/// A line that is not shown whole.
#[derive(Debug)]
struct Cut {
    file: usize,
    line: usize,
    shown: Range<usize>,
}

impl<'a> File<'a> {
    fn new(part: Part<'a>) -> File<'a> {
        let breaks = part.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        File { part, starts: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect() }
    }

    /// The range of bytes of a place, moved into the text and to boundaries of characters.
    fn range(&self, span: Span) -> Range<usize> {
        let (text, span) = (self.part.text, self.part.span(span));
        let start = text.floor_char_boundary(span.start as usize);
        start..text.floor_char_boundary(span.end as usize).max(start)
    }

    /// The line that a byte is on.
    fn line_of(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// The bytes of a line, its end included.
    fn line(&self, line: usize) -> Range<usize> {
        let start = |line: usize| self.starts.get(line).copied().unwrap_or(self.part.text.len());
        start(line)..start(line + 1)
    }
}

impl<'a> Excerpts<'a> {
    /// The whole files of a script with that name and text.
    pub(crate) fn new(name: &'a str, text: &'a str, imported: &'a Imported) -> Excerpts<'a> {
        let files = imported.parts(name, text).into_iter().map(File::new).collect();
        Excerpts { imported, files, cut: None }
    }

    /// The file of a place, and the range of bytes there.
    fn place(&self, span: Span) -> Option<(usize, Range<usize>)> {
        let index = self.imported.index(span.start);
        Some((index, self.files.get(index)?.range(span)))
    }

    /// Shows only the surroundings of a place if its line is very long, and other lines whole.
    pub(crate) fn cut(&mut self, place: Option<Span>) {
        self.cut = place.and_then(|span| self.cut_at(span));
    }

    fn cut_at(&self, span: Span) -> Option<Cut> {
        let (index, place) = self.place(span)?;
        let file = self.files.get(index)?;
        let line = file.line_of(place.start);
        let whole = file.line(line);
        if whole.len() <= LONGEST || place.end > whole.end {
            return None;
        }
        let boundary = |at: usize| file.part.text.floor_char_boundary(at);
        let start = boundary(place.start.saturating_sub(BEFORE).max(whole.start));
        let end = boundary((start + SHOWN).min(whole.end));
        Some(Cut { file: index, line, shown: start..end })
    }

    /// The file of a place and the part of it that is shown; `None` when nothing of it is.
    pub(crate) fn shown(&self, span: Span) -> Option<(usize, Range<usize>)> {
        let (index, place) = self.place(span)?;
        let cut = self.cut.as_ref().filter(|cut| cut.file == index);
        let Some(cut) =
            cut.filter(|cut| self.files.get(index).is_some_and(|f| f.line_of(place.start) == cut.line))
        else {
            return Some((index, place));
        };
        let range = place.start..place.end.min(cut.shown.end);
        (range.start >= cut.shown.start && range.start <= range.end).then_some((index, range))
    }

    fn file(&self, index: usize) -> Result<&File<'a>, Error> {
        self.files.get(index).ok_or(Error::FileMissing)
    }
}

impl<'a> Files<'a> for Excerpts<'a> {
    type FileId = usize;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, file: usize) -> Result<&'a str, Error> {
        Ok(self.file(file)?.part.name)
    }

    fn source(&'a self, file: usize) -> Result<&'a str, Error> {
        Ok(self.file(file)?.part.text)
    }

    fn line_index(&'a self, file: usize, at: usize) -> Result<usize, Error> {
        Ok(self.file(file)?.line_of(at))
    }

    fn column_number(&'a self, file: usize, line: usize, at: usize) -> Result<usize, Error> {
        let file = self.file(file)?;
        let whole = file.line(line);
        let before = file.part.text.get(whole.start..at.clamp(whole.start, whole.end)).unwrap_or_default();
        Ok(before.chars().count() + 1)
    }

    fn line_range(&'a self, file: usize, line: usize) -> Result<Range<usize>, Error> {
        match &self.cut {
            Some(cut) if cut.file == file && cut.line == line => Ok(cut.shown.clone()),
            _ => Ok(self.file(file)?.line(line)),
        }
    }
}
