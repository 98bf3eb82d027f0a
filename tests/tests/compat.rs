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

/// What a row must have: what works is shown to work and, used wrongly, to be refused; what is refused is shown to be.
fn is_proven(row: &Row) -> bool {
    let is_refusal = |proof: &Proof| matches!(proof, Proof::Rejected(..) | Proof::Failing(..));
    let refused = row.proofs.iter().any(is_refusal) != row.always.is_some();
    // Messages are shown by wrong scripts only.
    let of_errors = row.id.starts_with('E') || row.id == "X05";
    match row.status {
        Status::Refused(_) => refused,
        _ => refused && (of_errors || row.proofs.iter().any(|proof| !is_refusal(proof))),
    }
}

#[test]
fn every_row_is_true() -> Result<(), Fault> {
    let file = std::env::temp_dir().join(format!("gotrace-compat-{}.gt", std::process::id()));
    let mut faults = String::new();
    for row in sections()?.iter().flat_map(|section| &section.rows) {
        if !is_proven(row) {
            faults += &format!("{}: it wants a script that is accepted and one that is not\n", row.id);
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
