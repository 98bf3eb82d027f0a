//! `gotrace tools`: the shipped scripts.

use super::CliError;

/// Lists the tools, those of a subject, or shows one.
pub(super) fn tools(name: Option<&str>) -> Result<u8, CliError> {
    if let Some(tool) = name.and_then(scripts::find) {
        print!("{}", tool.source);
        return Ok(0);
    }
    let mut shown = 0;
    for subject in scripts::subjects() {
        if name.is_some_and(|n| n != subject) {
            continue;
        }
        println!("{subject}:");
        for tool in scripts::TOOLS.iter().filter(|t| t.subject == subject) {
            println!("  {:<14} {}", tool.name, tool.summary);
            shown += 1;
        }
    }
    match (shown, name) {
        (0, Some(name)) => {
            let known = scripts::TOOLS.iter().map(|t| t.name).chain(scripts::subjects());
            let help = match lang::diag::nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`gotrace tools` lists all".into(),
            };
            Err(CliError::with_help(format!("there is no tool or subject {name}"), help))
        }
        _ => Ok(0),
    }
}
