//! `gotrace workshop`: the labs. Lists them, sets one up, shows its solution, or checks a learner's script.
//!
//! The labs themselves, and what counts as a solution, are the crate `workshop`.

mod check;
mod folder;

use super::{CliError, Color, answer, page};
use std::fmt::Write;
use std::path::Path;
use workshop::{LABS, Lab};

/// Lists the labs.
pub(super) fn list() -> Result<u8, CliError> {
    let mut out = String::new();
    for lab in LABS {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:>3}  {:<52} {} minutes", lab.number, lab.title, lab.minutes);
    }
    let total: u32 = LABS.iter().map(|lab| lab.minutes).sum();
    let _ =
        writeln!(out, "\n{} labs, {total} minutes. `gotrace workshop 1` sets up the first one.", LABS.len());
    answer::print(&out)
}

/// Sets up a lab in a folder and shows its text.
pub(super) fn set_up(number: usize, folder: Option<&Path>) -> Result<u8, CliError> {
    let lab = find(number)?;
    let place = folder.map_or_else(|| folder::for_set_up(lab), Path::to_path_buf);
    let built = folder::fill(lab, &place)?;
    let code = answer::print(&page::plain(lab.text))?;
    built.map(|()| {
        match place.to_str() {
            Some(".") => eprintln!("Lab {} is in this folder", lab.number),
            _ => eprintln!("Lab {} is in {}: `cd {}`", lab.number, place.display(), place.display()),
        }
        code
    })
}

/// Shows the solution of a lab.
pub(super) fn solution(number: usize) -> Result<u8, CliError> {
    answer::print(find(number)?.solution)
}

/// Runs a script on a lab's program, and tells whether it solves the lab.
pub(super) fn check(
    number: usize,
    script: &str,
    folder: Option<&Path>,
    color: Color,
) -> Result<u8, CliError> {
    let lab = find(number)?;
    let place = folder::existing(lab, folder)?;
    check::check(lab, &place, script, color)
}

fn find(number: usize) -> Result<&'static Lab, CliError> {
    workshop::find(number).ok_or_else(|| {
        CliError::with_help(
            format!("there is no lab {number}"),
            format!("there are labs 1 to {}; `gotrace workshop` lists them", LABS.len()),
        )
    })
}
