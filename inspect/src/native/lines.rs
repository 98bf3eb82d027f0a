//! Source lines of C, C++ and Rust: which instructions start one.

use std::collections::BTreeSet;

use super::{Debug, UnitAt};

/// Code of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineStart {
    /// Its first instruction, or the first one of a part of it that others stand between.
    pub addr: u64,
    /// The line.
    pub line: u32,
}

impl Debug<'_> {
    /// The paths of source files that end with `file`, in whole components.
    pub fn source_files(&self, file: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        for at in &self.units {
            found.extend(self.files(at).into_iter().flatten().filter(|path| ends_with_path(path, file)));
        }
        found.into_iter().collect()
    }

    /// Where code of lines of a file starts, by address. The file is named by its whole path, as [`Debug::source_files`] gives it.
    pub fn line_starts(&self, file: &str) -> Vec<LineStart> {
        let mut starts = BTreeSet::new();
        for at in &self.units {
            let files = self.files(at);
            if files.iter().any(|path| path.as_deref() == Some(file)) {
                self.starts_in(at, &files, file, &mut starts);
            }
        }
        starts.into_iter().collect()
    }

    fn starts_in(
        &self,
        at: &UnitAt<'_>,
        files: &[Option<String>],
        file: &str,
        starts: &mut BTreeSet<LineStart>,
    ) -> Option<()> {
        let program = at.unit.line_program.clone()?;
        let mut rows = program.rows();
        let mut before = None;
        while let Some((_, row)) = rows.next_row().ok()? {
            if row.end_sequence() {
                before = None;
                continue;
            }
            let position = (row.file_index(), row.line());
            let is_file = || files.get(row.file_index() as usize).and_then(|p| p.as_deref()) == Some(file);
            if let Some(line) = row.line()
                && row.is_stmt()
                && before != Some(position)
                && is_file()
            {
                starts.insert(LineStart { addr: row.address(), line: u32::try_from(line.get()).ok()? });
            }
            before = Some(position);
        }
        Some(())
    }

    /// The paths of a unit's files by their number.
    fn files(&self, at: &UnitAt<'_>) -> Vec<Option<String>> {
        let Some(program) = &at.unit.line_program else { return Vec::new() };
        let header = program.header();
        // DWARF 5 counts from 0, earlier versions from 1.
        let first = u64::from(header.version() < 5);
        let count = header.file_names().len() as u64;
        let path = |number: u64| {
            let file = header.file(number)?;
            let text = |value| {
                let text = self.dwarf.attr_string(&at.unit, value).ok()?;
                Some(text.to_string_lossy().into_owned())
            };
            let name = text(file.path_name())?;
            if name.starts_with('/') {
                return Some(name);
            }
            let folder = file.directory(header).and_then(text).unwrap_or_default();
            let whole = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let base = at.unit.comp_dir.map(|dir| dir.to_string_lossy().into_owned());
            Some(match base {
                Some(base) if !whole.starts_with('/') => format!("{base}/{whole}"),
                _ => whole,
            })
        };
        (0..first).map(|_| None).chain((first..first + count).map(path)).collect()
    }
}

/// Whether a path ends with another one, in whole components.
fn ends_with_path(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/') || end.starts_with('/'))
}
