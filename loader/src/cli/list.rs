//! `gotrace list`: the probes that match a pattern.

use super::CliError;
use crate::env::Host;
use inspect::glob::Glob;
use inspect::tracefs::Tracefs;
use lang::env::{Env, EnvError, Match, Stop, Tracepoint};
use lang::probe::{AttachKind, AttachPoint};
use lang::span::Span;
use std::fmt::Write;
use std::io::Write as _;

/// Kinds that are listed when no pattern is given.
const KINDS: &str = "\
begin
end
interval:s:1
profile:hz:99
tracepoint:CATEGORY:EVENT
uprobe:BINARY:FUNCTION
uretprobe:BINARY:FUNCTION
";

/// Lists what matches `pattern`, one a line.
pub(super) fn list(pattern: &str, verbose: bool) -> Result<u8, CliError> {
    let mut out = String::new();
    if pattern.is_empty() {
        out.push_str(KINDS);
        out.push_str("\nGive a pattern to list places: 'tracepoint:sched:*', 'uprobe:./web:main.*'.\n");
    } else {
        for pattern in expand(pattern)? {
            one(&pattern, verbose, &mut out)?;
        }
    }
    match std::io::stdout().lock().write_all(out.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::other(format!("standard output: {e}"))),
        _ => Ok(0),
    }
}

/// A pattern as attach points. Short forms: a path alone or with a function stands for its uprobes, a bare word for
/// tracepoints that have it in their name.
fn expand(pattern: &str) -> Result<Vec<String>, CliError> {
    let first = pattern.split(':').next().unwrap_or_default();
    if lang::probe::find_kind(first).is_some() {
        return Ok(match pattern.matches(':').count() {
            1 if first.starts_with('u') => vec![format!("{pattern}:*")],
            _ => vec![pattern.to_owned()],
        });
    }
    if first.contains('/') {
        let functions = if pattern.contains(':') { "" } else { ":*" };
        return Ok(vec![format!("uprobe:{pattern}{functions}")]);
    }
    let tracefs = Tracefs::find().map_err(|e| CliError::other(e.to_string()))?;
    let events = tracefs.events().map_err(|e| CliError::other(e.to_string()))?;
    let glob = Glob::new(&if pattern.contains('*') { pattern.to_owned() } else { format!("*{pattern}*") });
    let found: Vec<String> = events
        .iter()
        .map(|e| format!("tracepoint:{}:{}", e.category, e.event))
        .filter(|name| glob.matches(name))
        .collect();
    if found.is_empty() {
        return Err(CliError::with_help(
            format!("no tracepoint matches \"{pattern}\""),
            "for functions of a program write 'uprobe:./program:*'",
        ));
    }
    Ok(found)
}

fn one(text: &str, verbose: bool, out: &mut String) -> Result<(), CliError> {
    let point = lang::probe::parse(text, Span::default(), &[]).map_err(|p| CliError::other(p.message.clone()))?;
    let matches = Host::default().resolve(&point).map_err(|e| env_error(&e))?;
    let mut lines: Vec<String> = Vec::new();
    for found in &matches {
        match found {
            Match::Tracepoint(tracepoint) => lines.push(tracepoint_lines(tracepoint, verbose)),
            Match::Uprobe(uprobe) => {
                let kind = if matches!(point.kind, AttachKind::Uprobe { ret: true, .. }) { "uretprobe" } else { "uprobe" };
                for warning in &uprobe.warnings {
                    eprintln!("warning: {warning}");
                }
                for site in &uprobe.sites {
                    let mut line = format!("{kind}:{}:{}", uprobe.binary, site.function);
                    if verbose {
                        let _ = write!(line, "\n    at offset {:#x}: {}", site.offset, stop(uprobe.class.stop));
                    }
                    lines.push(line);
                }
            }
        }
    }
    lines.sort();
    if !verbose {
        // A function with several returns is one probe.
        lines.dedup();
    }
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    if matches.is_empty() {
        let _ = writeln!(out, "{}", point_name(&point));
    }
    Ok(())
}

fn point_name(point: &AttachPoint) -> &str {
    &point.text
}

fn tracepoint_lines(tracepoint: &Tracepoint, verbose: bool) -> String {
    let mut line = format!("tracepoint:{}:{}", tracepoint.category, tracepoint.name);
    if verbose {
        for field in &tracepoint.args.fields {
            let _ = write!(line, "\n    {} {}", field.ty, field.name);
        }
    }
    line
}

/// What a place is, in words.
fn stop(stop: Stop) -> &'static str {
    match stop {
        Stop::Entry => "entry, once per call",
        Stop::EntryAtStackCheck => "branch of the stack check (emulated by the kernel), not counted when it is taken",
        Stop::Inside => "inside the function",
        Stop::ReturnInsn => "return instruction",
        Stop::KernelReturn => "return (uretprobe of the kernel)",
    }
}

fn env_error(error: &EnvError) -> CliError {
    let similar = (!error.similar.is_empty()).then(|| format!("did you mean {}?", error.similar.join(" or ")));
    match similar.or_else(|| error.help.clone()) {
        Some(help) => CliError::with_help(error.message.clone(), help),
        None => CliError::other(error.message.clone()),
    }
}
