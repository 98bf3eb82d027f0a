//! Source positions: file and line of an instruction, and the instructions of a line. From the function
//! table, so that stripped binaries have them too.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::inline::INLINE_INDEX;
use super::pclntab::Values;
use super::{GoBinary, GoFunc};

/// The inline table's value for a function's own code.
const NOT_INLINED: i32 = -1;

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
    /// First instruction of the line in that function or in one copy that is inlined into it. For the line of the `func` keyword this is the
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

    /// Where the code of `line` of a file accepted by `is_file` starts: once for the function itself and once for each inlined
    /// call that the line belongs to. A line has several runs of code where the compiler moved others in between (the parts of a
    /// `for` clause, arguments that are calls): the table does not tell which run starts a statement, and the lowest address does
    /// so but for unusual orders of blocks.
    fn starts_of_line(&self, line: u32, is_file: &mut impl FnMut(&'a str) -> bool) -> Vec<LineSite<'a>> {
        let (table, image) = (self.binary.table(), self.binary.image());
        let Ok(wanted) = i32::try_from(line) else { return Vec::new() };
        let lines = table.values(image, self.record, Values::Line).filter(|run| run.value == wanted);
        // The tables cover the function in order: they are walked together.
        let mut files = table.values(image, self.record, Values::File).peekable();
        let mut copies = table.values(image, self.record, INLINE_INDEX).peekable();
        let mut seen = HashSet::new();
        let mut sites = Vec::new();
        for run in lines {
            let mut at = run.start;
            while at < run.end {
                while files.next_if(|f| f.end <= at).is_some() {}
                while copies.next_if(|c| c.end <= at).is_some() {}
                let Some(file_run) = files.peek().filter(|f| f.start <= at) else { break };
                // Functions without inlined calls have no table of them.
                let copy = copies.peek().filter(|c| c.start <= at);
                let node = copy.map_or(NOT_INLINED, |c| c.value);
                let end = copy.map_or(run.end, |c| c.end).min(file_run.end);
                if let Some(file) = self.file_name(file_run.value).filter(|file| is_file(file))
                    && seen.insert(node)
                {
                    sites.push(LineSite { function: *self, addr: at, line: SourceLine { file, line } });
                }
                at = end.max(at + 1);
            }
        }
        sites
    }
}

impl GoBinary {
    /// Where the code of a line starts: in every function that has instructions of it, once for the function itself and once for
    /// each call inlined into it. `file` is compared with the end of the recorded path, whole components only: `file.go`,
    /// `pkg/file.go` or an absolute path.
    pub fn line_sites(&self, file: &str, line: u32) -> Vec<LineSite<'_>> {
        let mut known: HashMap<*const u8, bool> = HashMap::new();
        // File names are shared: each is compared once.
        let mut is_file =
            |path: &str| *known.entry(path.as_ptr()).or_insert_with(|| ends_with_path(path, file));
        self.functions().flat_map(|function| function.starts_of_line(line, &mut is_file)).collect()
    }

    /// Distinct source files whose path ends with `file`, to tell a script's author that a name is ambiguous
    /// or unknown.
    pub fn source_files(&self, file: &str) -> Vec<&str> {
        self.files_where(|name| ends_with_path(name, file))
    }

    /// All source files that code comes from.
    pub fn all_source_files(&self) -> Vec<&str> {
        self.files_where(|_| true)
    }

    fn files_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let mut seen: HashSet<*const u8> = HashSet::new();
        for function in self.functions() {
            for run in self.table.values(&self.image, function.record, Values::File) {
                let Some(name) = function.file_name(run.value) else { continue };
                if seen.insert(name.as_ptr()) && wanted(name) {
                    found.push(name);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The lines of a file (by its whole recorded path) that have code, in order.
    pub fn lines_with_code(&self, file: &str) -> Vec<u32> {
        let mut lines = BTreeSet::new();
        for function in self.functions() {
            let files = self.table.values(&self.image, function.record, Values::File);
            for part in files.filter(|run| function.file_name(run.value) == Some(file)) {
                let all = self.table.values(&self.image, function.record, Values::Line);
                let inside = all.filter(|run| run.start < part.end && run.end > part.start);
                lines.extend(inside.filter_map(|run| u32::try_from(run.value).ok()));
            }
        }
        lines.into_iter().collect()
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
