//! The rows of `tests/compat` are true, and docs/compatibility.md is made from them.

use std::fs;
use std::process::Command;

use harness::compat::{Proof, Row, Status, page, page_path, root, sections};
use harness::run::gotrace;

type Fault = Box<dyn std::error::Error>;

/// Tries one proof; the error says what was otherwise.
fn prove(proof: &Proof, file: &std::path::Path) -> Result<(), Fault> {
    let mut command = Command::new(gotrace()?);
    command.current_dir(root());
    match proof {
        Proof::Accepted(script) | Proof::Rejected(script, _) => {
            fs::write(file, script)?;
            command.arg("check").arg(file);
        }
        Proof::Read(script) => {
            fs::write(file, script)?;
            command.args(["-d", "ast"]).arg(file);
        }
        Proof::Command(arguments) | Proof::Failing(arguments, _) => {
            let program = command.get_program().to_owned();
            command = Command::new("sh");
            command.current_dir(root()).arg("-c").arg(format!("exec \"$0\" {arguments}")).arg(program);
        }
    }
    let output = command.output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    match proof {
        Proof::Rejected(script, message) | Proof::Failing(script, message) => {
            let error = stderr.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default();
            if output.status.code() != Some(1) || message.is_empty() || !error.starts_with(message) {
                return Err(format!("{script}\nexpected: {message}\nfound:    {error}").into());
            }
        }
        Proof::Accepted(text) | Proof::Read(text) | Proof::Command(text) => {
            if !output.status.success() {
                return Err(format!("{text}\n{stderr}").into());
            }
        }
    }
    Ok(())
}

/// What a row must have: what works is shown to work, what is refused to be refused.
fn is_proven(row: &Row) -> bool {
    row.proofs.iter().any(|proof| match (&row.status, proof) {
        (Status::Refused(_), proof) => matches!(proof, Proof::Rejected(..) | Proof::Failing(..)),
        (_, Proof::Rejected(..) | Proof::Failing(..)) => row.id.starts_with('E') || row.id == "X05",
        _ => true,
    })
}

#[test]
fn every_row_is_true() -> Result<(), Fault> {
    let file = std::env::temp_dir().join(format!("gotrace-compat-{}.gt", std::process::id()));
    let mut faults = String::new();
    for row in sections()?.iter().flat_map(|section| &section.rows) {
        if !is_proven(row) {
            faults += &format!("{}: nothing proves it\n", row.id);
        }
        for proof in &row.proofs {
            if let Err(fault) = prove(proof, &file) {
                faults += &format!("{}: {fault}\n", row.id);
            }
        }
    }
    fs::remove_file(&file)?;
    assert!(faults.is_empty(), "{faults}");
    Ok(())
}

#[test]
fn the_page_is_made_from_the_rows() -> Result<(), Fault> {
    let written = fs::read_to_string(page_path())?;
    assert!(written == page(&sections()?)?, "docs/compatibility.md is out of date: run `cargo xtask docs`");
    Ok(())
}
