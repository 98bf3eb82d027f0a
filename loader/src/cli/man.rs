//! `gotrace man`: the manual page, made from the description of the command line.

use super::{Cli, CliError, answer, help};
use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;

/// What stands behind the options: a heading and its lines.
const SECTIONS: &[(&str, &str)] = &[
    (
        "ENVIRONMENT",
        "GOTRACE_MAX_STRLEN, GOTRACE_MAX_MAP_KEYS and so on override the settings of a script.\n\
         NO_COLOR: no colours in messages.\n\
         GOTRACE_NO_FEATURE: features of the kernel not to use, such as uprobe_multi,btf.",
    ),
    (
        "EXIT STATUS",
        "0 when the run ended, also by Ctrl-C or with the traced program.\n\
         N after exit(N) in the script.\n\
         1 after wrong usage, an error in the script, a missing permission, or an output that cannot be written.",
    ),
    ("SEE ALSO", "bpftrace(8), bpftool(8)"),
];

/// Shows the page.
pub(super) fn man() -> Result<u8, CliError> {
    let page = page().map_err(|source| CliError::File { path: "the manual page".into(), source })?;
    answer::print(&String::from_utf8_lossy(&page))
}

fn page() -> io::Result<Vec<u8>> {
    // `--help` prints a text of its own, which the page would repeat.
    let man = Man::new(Cli::command()).section("8");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    section(&mut out, "SYNOPSIS", help::USAGE)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    man.render_subcommands_section(&mut out)?;
    for (title, text) in SECTIONS {
        section(&mut out, title, text)?;
    }
    Ok(out)
}

/// A section of lines.
fn section(out: &mut Vec<u8>, title: &str, text: &str) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            roff.control("br", []);
        }
        roff.text([roman(line.trim())]);
    }
    roff.to_writer(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_option_and_command() {
        let page = String::from_utf8(page().expect("a page")).expect("text").replace("\\-", "-");
        for option in Cli::command().get_arguments().filter_map(|a| a.get_long()) {
            assert!(page.contains(&format!("--{option}")), "{option}");
        }
        for command in Cli::command().get_subcommands() {
            assert!(page.contains(&format!("gotrace-{}", command.get_name())), "{}", command.get_name());
        }
        for heading in ["SYNOPSIS", "OPTIONS", "ENVIRONMENT", "EXIT STATUS"] {
            assert!(page.contains(heading), "{heading}");
        }
    }
}
