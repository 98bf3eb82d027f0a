//! Source lines as sites (`uprobe:./web@main.go:41`): every place where code of the line starts, also in the copies that are inlined
//! into other functions.

use super::Sites;
use inspect::go::{GoBinary, LineSite};
use inspect::uprobe::{Treatment, treatment};
use lang::env::{EnvError, Stop};

/// Files that an ambiguous name is told to stand for.
const CANDIDATES: usize = 5;

impl Sites<'_> {
    /// All places of a line.
    pub(super) fn line(&mut self, file: &str, line: u32) -> Result<(), EnvError> {
        let Some(go) = self.go else { return self.native_line(file, line) };
        let path = self.source_file(go, file)?;
        let sites = go.line_sites(path, line);
        if sites.is_empty() {
            return Err(no_code(path, line, &go.lines_with_code(path)));
        }
        sites.iter().for_each(|site| self.line_site(site));
        if self.groups.is_empty() {
            return Err(self.nothing(file, false));
        }
        Ok(())
    }

    fn line_site(&mut self, site: &LineSite<'_>) {
        let function = &site.function;
        // The function of the source that the line stands in, which may be inlined into the one that has the code.
        let frames = function.frames(site.addr);
        let name = frames.first().map_or(function.name(), |frame| frame.name);
        // The line of `func` begins before the stack check, which may run several times in one call.
        if let Ok(entry) = function.entry_site()
            && site.addr <= entry.addr
        {
            let stop = if entry.needs_flag_test { Stop::EntryAtStackCheck } else { Stop::Entry };
            return self.add(self.go_class(function, stop), name, entry.addr);
        }
        let code = self.file.read(site.addr, 16).unwrap_or_default();
        if let Treatment::Refused(why) = treatment(self.file.arch(), code) {
            let at = site.addr - function.entry();
            return self.leave_out(&format!("the kernel accepts no probe at +{at} ({why})"), function.name());
        }
        self.add(self.go_class(function, Stop::Inside), name, site.addr);
    }

    /// The one file that a name stands for.
    fn source_file<'g>(&self, go: &'g GoBinary, file: &str) -> Result<&'g str, EnvError> {
        let found = go.source_files(file);
        if let Some(whole) = found.iter().find(|path| **path == file) {
            return Ok(whole);
        }
        match found.as_slice() {
            [path] => Ok(path),
            [] => {
                let all = go.all_source_files();
                let same_length = |path: &&'g str| {
                    let parts = file.split('/').count();
                    let start = path.rmatch_indices('/').nth(parts - 1).map_or(0, |(at, _)| at + 1);
                    path.get(start..).unwrap_or_default()
                };
                Err(EnvError {
                    message: format!("no code of {} comes from a file \"{file}\"", self.name),
                    similar: super::super::similar(file, all.iter().map(same_length)),
                    ..EnvError::default()
                })
            }
            several => {
                let more = several.len().saturating_sub(CANDIDATES);
                let mut notes: Vec<String> =
                    several.iter().take(CANDIDATES).map(|path| format!("there is {path}")).collect();
                if more > 0 {
                    notes.push(format!("and {more} more"));
                }
                Err(EnvError {
                    message: format!("\"{file}\" stands for {} files", several.len()),
                    notes,
                    help: Some("name more of the path".into()),
                    ..EnvError::default()
                })
            }
        }
    }
}

/// A line without code, and the lines around it that have some.
pub(super) fn no_code(path: &str, line: u32, lines: &[u32]) -> EnvError {
    let after = lines.partition_point(|l| *l < line);
    let before = after.checked_sub(1).and_then(|i| lines.get(i));
    let near: Vec<String> = before.into_iter().chain(lines.get(after)).map(u32::to_string).collect();
    let help = match near.as_slice() {
        [] => None,
        [one] => Some(format!("the nearest line with code is {one}")),
        several => Some(format!("the nearest lines with code are {}", several.join(" and "))),
    };
    EnvError { message: format!("line {line} of {path} has no code"), help, ..EnvError::default() }
}
