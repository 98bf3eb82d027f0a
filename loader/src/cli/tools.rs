//! `gotrace tools`: the shipped scripts.

use super::{CliError, answer, page};
use std::fmt::Write;

/// Lists the tools, those of a subject, or shows the page or the `source` of one.
pub(super) fn tools(name: Option<&str>, source: bool) -> Result<u8, CliError> {
    if let Some(tool) = name.and_then(scripts::find) {
        return if source { answer::print(tool.source) } else { answer::print(&page::plain(tool.page)) };
    }
    if source {
        let help = "`gotrace tools` lists them";
        return Err(CliError::with_help("--source wants the name of a tool", help));
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
