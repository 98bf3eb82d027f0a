//! `gotrace tools`: the shipped scripts.

use super::{CliError, answer};
use std::fmt::Write;

/// Lists the tools, those of a subject, or shows one.
pub(super) fn tools(name: Option<&str>) -> Result<u8, CliError> {
    if let Some(tool) = name.and_then(scripts::find) {
        return answer::print(tool.source);
    }
    let mut out = String::new();
    for subject in scripts::subjects() {
        if name.is_some_and(|n| n != subject) {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{subject}:");
        for tool in scripts::TOOLS.iter().filter(|t| t.subject == subject) {
            let _ = writeln!(out, "  {:<14} {}", tool.name, tool.summary);
        }
    }
    match name {
        Some(name) if out.is_empty() => {
            let known = scripts::TOOLS.iter().map(|t| t.name).chain(scripts::subjects());
            let help = match lang::diag::nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`gotrace tools` lists all".into(),
            };
            Err(CliError::with_help(format!("there is no tool or subject {name}"), help))
        }
        _ => answer::print(&out),
    }
}
