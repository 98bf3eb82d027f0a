//! Source positions: file and line of an instruction, and the instructions of a line. From the function
//! table, so that stripped binaries have them too.

use std::collections::HashMap;

use super::pclntab::Values;
use super::{GoBinary, GoFunc};

/// A position in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceLine<'a> {
    /// File as the compiler recorded it: absolute, or relative to the module or GOROOT with `-trimpath`.
    pub file: &'a str,
    /// Line, from 1.
    pub line: u32,
}

/// Code of a source line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineSite<'a> {
    /// The function that contains the code; the line itself may be of a function inlined into it.
    pub function: GoFunc<'a>,
    /// First instruction of the line in that function. For the line of the `func` keyword this is the
    /// function's entry: probe its [entry site](GoFunc::entry_site) instead.
    pub addr: u64,
    /// The position.
    pub line: SourceLine<'a>,
}

impl<'a> GoFunc<'a> {
    /// Position of the instruction at `pc`. For inlined code it is the position in the innermost inlined
    /// function.
    pub fn line(&self, pc: u64) -> Option<SourceLine<'a>> {
        let value = |which| self.binary.table().value_at(self.binary.image(), self.record, which, pc);
        let line = u32::try_from(value(Values::Line)?).ok()?;
        let file = self.file_name(value(Values::File)?)?;
        Some(SourceLine { file, line })
    }

    fn file_name(&self, number: i32) -> Option<&'a str> {
        self.binary.table().file_name(self.binary.image(), self.record, number)
    }

    /// The first instruction of `line` of a file accepted by `is_file`.
    fn first_of_line(&self, line: u32, is_file: &mut impl FnMut(&'a str) -> bool) -> Option<LineSite<'a>> {
        let (table, image) = (self.binary.table(), self.binary.image());
        let wanted = i32::try_from(line).ok()?;
        let lines = table.values(image, self.record, Values::Line).filter(|run| run.value == wanted);
        // Both tables cover the function in order: walk them together. The file can change inside a run of
        // equal lines; the first overlap with an accepted file counts.
        let mut files = table.values(image, self.record, Values::File).peekable();
        for run in lines {
            while files.next_if(|f| f.end <= run.start).is_some() {}
            while let Some(f) = files.peek().filter(|f| f.start < run.end).copied() {
                if let Some(file) = self.file_name(f.value).filter(|file| is_file(file)) {
                    let addr = run.start.max(f.start);
                    return Some(LineSite { function: *self, addr, line: SourceLine { file, line } });
                }
                if f.end > run.end {
                    break;
                }
                files.next();
            }
        }
        None
    }
}

impl GoBinary {
    /// Code of a line: in every function that has instructions of it, the first one. `file` is compared with
    /// the end of the recorded path, whole components only: `file.go`, `pkg/file.go` or an absolute path.
    pub fn line_sites(&self, file: &str, line: u32) -> Vec<LineSite<'_>> {
        let mut known: HashMap<*const u8, bool> = HashMap::new();
        // File names are shared: each is compared once.
        let mut is_file =
            |path: &str| *known.entry(path.as_ptr()).or_insert_with(|| ends_with_path(path, file));
        self.functions().filter_map(|function| function.first_of_line(line, &mut is_file)).collect()
    }

    /// Distinct source files whose path ends with `file`, to tell a script's author that a name is ambiguous
    /// or unknown.
    pub fn source_files(&self, file: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let mut seen: HashMap<*const u8, ()> = HashMap::new();
        for function in self.functions() {
            for run in self.table.values(&self.image, function.record, Values::File) {
                let Some(name) = function.file_name(run.value) else { continue };
                if seen.insert(name.as_ptr(), ()).is_none() && ends_with_path(name, file) {
                    found.push(name);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn ends_with_path(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/') || end.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::ends_with_path;

    #[test]
    fn whole_components() {
        assert!(ends_with_path("/src/app/main.go", "main.go"));
        assert!(ends_with_path("/src/app/main.go", "app/main.go"));
        assert!(ends_with_path("/src/app/main.go", "/src/app/main.go"));
        assert!(!ends_with_path("/src/app/domain.go", "main.go"));
        assert!(!ends_with_path("/src/app/main.go", "other.go"));
    }
}
