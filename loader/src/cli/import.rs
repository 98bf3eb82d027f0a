//! The files that a script imports: found, read, and put behind its own text, for [`lang::parse_files()`].
//!
//! A name is looked for beside the file that imports it, then in the directories of `-I`. A directory stands for all scripts in
//! it. Each file is taken once, so files may import each other.

use super::CliError;
use super::script::Source;
use lang::diag::Problem;
use lang::source::Import;
use lang::span::Span;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Endings of the names of scripts.
const SCRIPTS: [&str; 2] = ["bt", "gt"];
/// Endings of the names of C files, which bpftrace can import.
const C_FILES: [&str; 2] = ["h", "c"];
/// What bpftrace calls its own library: all of that is builtin here.
const LIBRARY: &str = "stdlib";

/// A script with all that it imports.
pub(super) fn resolve(source: Source, dirs: &[PathBuf]) -> Result<Source, CliError> {
    let imports = lang::imports(&source.text);
    if imports.is_empty() {
        return Ok(source);
    }
    let own = PathBuf::from(&source.name);
    let mut importer = Importer { whole: source, dirs, taken: own.canonicalize().into_iter().collect() };
    let beside = own.parent().map(Path::to_owned).unwrap_or_default();
    importer.imports(&imports, 0, &beside)?;
    Ok(importer.whole)
}

struct Importer<'a> {
    /// The script with what has been imported.
    whole: Source,
    dirs: &'a [PathBuf],
    /// The script and the files that have been imported.
    taken: Vec<PathBuf>,
}

impl Importer<'_> {
    /// Takes what a file imports whose text stands at `start` and lies in the directory `beside`.
    fn imports(&mut self, imports: &[Import], start: u32, beside: &Path) -> Result<(), CliError> {
        for import in imports {
            let span = import.span.shifted(start);
            for file in self.files(&import.path, span, beside)? {
                self.file(&file, span)?;
            }
        }
        Ok(())
    }

    fn fail<T>(&self, problem: Problem) -> Result<T, CliError> {
        Err(self.whole.error(problem))
    }

    /// The files that a name stands for.
    fn files(&self, name: &str, span: Span, beside: &Path) -> Result<Vec<PathBuf>, CliError> {
        let places: Vec<PathBuf> = std::iter::once(beside)
            .chain(self.dirs.iter().map(PathBuf::as_path))
            .map(|d| d.join(name))
            .collect();
        let Some(found) = places.iter().find(|place| place.exists()) else {
            if name.split('/').next() == Some(LIBRARY) {
                return Ok(Vec::new());
            }
            let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
            let problem = Problem::error(span, format!("there is no file `{name}` to import"))
                .note(format!("looked for {}", looked.join(", ")))
                .help("names are relative to the script; `-I DIR` is looked in too");
            return self.fail(problem);
        };
        if found.extension().is_some_and(|e| C_FILES.iter().any(|c| e == *c)) {
            let problem = Problem::error(span, "gotrace reads no C").help(
                "structures of the kernel are known without it; declare others in a script: `struct T { int32 x; };`",
            );
            return self.fail(problem);
        }
        if !found.is_dir() {
            return Ok(vec![found.clone()]);
        }
        let unreadable = |e: std::io::Error| {
            self.whole.error(Problem::error(span, format!("the directory `{name}` cannot be read: {e}")))
        };
        let mode = found.metadata().map_err(unreadable)?.permissions().mode();
        if mode & 0o002 != 0 {
            let problem =
                Problem::error(span, "everybody may write into this directory, and so what would be run")
                    .help(format!("`chmod o-w {}`, or import its files by name", found.display()));
            return self.fail(problem);
        }
        let entries = found.read_dir().map_err(unreadable)?;
        let is_script = |path: &PathBuf| {
            path.is_file() && path.extension().is_some_and(|e| SCRIPTS.iter().any(|script| e == *script))
        };
        let mut files: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_script).collect();
        files.sort();
        Ok(files)
    }

    fn file(&mut self, path: &Path, span: Span) -> Result<(), CliError> {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.taken.contains(&canonical) {
            return Ok(());
        }
        self.taken.push(canonical);
        let text = match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => {
                return self.fail(Problem::error(
                    span,
                    format!("`{}` is no script: it is not text", path.display()),
                ));
            }
            Err(e) => {
                return self.fail(Problem::error(span, format!("`{}` cannot be read: {e}", path.display())));
            }
        };
        let imports = lang::imports(&text);
        let (index, start) = self.whole.append(path.display().to_string(), &text);
        let beside = path.parent().map(Path::to_owned).unwrap_or_default();
        self.imports(&imports, start, &beside)?;
        self.whole.imported.complete(index);
        Ok(())
    }
}
