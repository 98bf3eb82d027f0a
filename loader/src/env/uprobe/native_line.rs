//! Source lines of C, C++ and Rust as sites: where code of the line starts, once in each function that has some.

use super::Sites;
use super::line::no_code;
use inspect::uprobe::{Treatment, treatment};
use lang::env::{EnvError, Stop, UprobeClass};
use std::collections::BTreeMap;

/// Files that an ambiguous name is told to stand for.
const CANDIDATES: usize = 5;

impl Sites<'_> {
    /// All places of a line, by the debug information.
    pub(super) fn native_line(&mut self, file: &str, line: u32) -> Result<(), EnvError> {
        let Some(debug) = self.debug() else {
            return Err(EnvError {
                message: format!("{} has no debug information: its lines are not known", self.name),
                help: Some("build it with `-g`, or name a function, or an address in it".into()),
                ..EnvError::default()
            });
        };
        let found = debug.source_files(file);
        let whole = found.iter().find(|path| *path == file).or(found.first().filter(|_| found.len() == 1));
        let Some(path) = whole.cloned() else { return Err(self.which_file(file, &found)) };
        let starts = debug.line_starts(&path);
        // The lowest address of a function is where it comes to the line first, but for unusual orders of blocks.
        let mut sites: BTreeMap<u64, (String, u64)> = BTreeMap::new();
        for start in starts.iter().filter(|start| start.line == line) {
            if let Some(symbol) = self.file.symbolize(start.addr) {
                sites.entry(symbol.addr).or_insert_with(|| (symbol.name.to_owned(), start.addr));
            }
        }
        if sites.is_empty() {
            let mut lines: Vec<u32> = starts.iter().map(|start| start.line).collect();
            lines.sort_unstable();
            lines.dedup();
            return Err(no_code(&path, line, &lines));
        }
        for (entry, (name, addr)) in sites {
            self.native_line_site(&name, entry, addr);
        }
        if self.groups.is_empty() { Err(self.nothing(file, false)) } else { Ok(()) }
    }

    fn native_line_site(&mut self, symbol: &str, entry: u64, addr: u64) {
        let name = super::name::shown(symbol);
        let code = self.file.read(addr, 16).unwrap_or_default();
        if let Treatment::Refused(why) = treatment(self.file.arch(), code) {
            let at = addr - entry;
            return self.leave_out(&format!("the kernel accepts no probe at +{at} ({why})"), &name);
        }
        let stop = if addr == entry { Stop::Entry } else { Stop::Inside };
        let signature = self.native_signature(symbol, entry, stop);
        self.add(UprobeClass { signature, ..self.native_class(stop) }, &name, addr);
    }

    fn which_file(&self, file: &str, found: &[String]) -> EnvError {
        if found.is_empty() {
            return EnvError {
                message: format!("no code of {} comes from a file \"{file}\"", self.name),
                ..EnvError::default()
            };
        }
        let mut notes: Vec<String> =
            found.iter().take(CANDIDATES).map(|path| format!("there is {path}")).collect();
        if let more @ 1.. = found.len().saturating_sub(CANDIDATES) {
            notes.push(format!("and {more} more"));
        }
        EnvError {
            message: format!("\"{file}\" stands for {} files", found.len()),
            notes,
            help: Some("name more of the path".into()),
            ..EnvError::default()
        }
    }
}
