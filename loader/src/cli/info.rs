//! `gotrace info`: what this kernel and this user can do, found by trying, and what is lost where something is missing.

use super::{CliError, Format, answer};
use crate::privileges::{CAPABILITIES, Capabilities, SETTINGS, in_user_namespace, lockdown};
use crate::sys::probe::{Feature, Group};
use crate::sys::{clock, in_words, process};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// A finding.
struct Row {
    /// For people.
    what: String,
    /// For programs.
    name: &'static str,
    found: Found,
}

/// What was found.
enum Found {
    Yes,
    No {
        /// What a user does not have for it.
        cost: &'static str,
        /// Why, and since when Linux has it.
        why: Option<(String, &'static str)>,
    },
    /// A value, and what it costs.
    Value(Option<i64>, Option<&'static str>),
}

/// Prints the findings.
pub(super) fn info(format: Format) -> Result<u8, CliError> {
    let groups = findings();
    match format {
        Format::Text => answer::print(&text(&machine(), &groups)),
        Format::Json => answer::print(&format!("{}\n", to_json(&machine(), &groups))),
    }
}

/// What the machine is.
fn machine() -> Vec<(&'static str, String)> {
    let read = |path: &str| {
        std::fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |s| s.trim().to_owned())
    };
    let tracefs = inspect::tracefs::Tracefs::find();
    let user = match (process::is_root(), in_user_namespace()) {
        (true, false) => "root",
        (true, true) => "root of a user namespace only: tracing needs root of the host",
        (false, _) if Capabilities::effective().missing_to_load().is_empty() => {
            "not root, with the capabilities to trace"
        }
        (false, _) => "not root: tracing needs root",
    };
    vec![
        ("gotrace", env!("CARGO_PKG_VERSION").to_owned()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("machine", std::env::consts::ARCH.to_owned()),
        ("cpus", clock::possible_cpus().map_or_else(|_| "unknown".to_owned(), |n| n.to_string())),
        ("user", user.to_owned()),
        ("tracefs", tracefs.map_or_else(|e| crate::tracefs::why_not(&e), |t| t.root().display().to_string())),
        ("lockdown", lockdown().unwrap_or_else(|| "none".into())),
    ]
}

/// All that is tried, by heading.
fn findings() -> Vec<(&'static str, &'static str, Vec<Row>)> {
    let own = Capabilities::effective();
    let capabilities = CAPABILITIES.iter().map(|capability| {
        let found = match own.has(capability) {
            true => Found::Yes,
            false => Found::No { cost: capability.cost, why: None },
        };
        Row { what: capability.name.into(), name: capability.name, found }
    });
    let settings = SETTINGS.iter().map(|setting| {
        let value = setting.value();
        Row {
            what: setting.name.into(),
            name: setting.name,
            found: Found::Value(value, value.and_then(setting.cost)),
        }
    });
    let mut all = vec![
        ("Capabilities", "capabilities", capabilities.collect()),
        ("Settings", "settings", settings.collect()),
    ];
    for group in Group::ALL {
        let rows = Feature::all().filter(|feature| feature.group() == group).map(|feature| {
            let found = match feature.check() {
                Ok(()) => Found::Yes,
                Err(e) => Found::No { cost: feature.cost(), why: Some((in_words(&e), feature.since())) },
            };
            Row { what: feature.describe().into(), name: feature.name(), found }
        });
        all.push((group.title(), group.name(), rows.collect()));
    }
    all
}

fn text(machine: &[(&str, String)], groups: &[(&str, &str, Vec<Row>)]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for (name, fact) in machine {
        let _ = writeln!(out, "{name:<9} {fact}");
    }
    for (title, _, rows) in groups {
        let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
        let _ = writeln!(out, "\n{title}:");
        for Row { what, found, .. } in rows {
            let _ = write!(out, "{what:<width$}  ");
            let _ = match found {
                Found::Yes => writeln!(out, "yes"),
                Found::No { cost, why: None } => writeln!(out, "no: {cost}"),
                Found::No { cost, why: Some((error, since)) } => {
                    writeln!(out, "no: {cost} ({error}; Linux has it since {since})")
                }
                Found::Value(None, _) => writeln!(out, "unknown"),
                Found::Value(Some(value), None) => writeln!(out, "{value}"),
                Found::Value(Some(value), Some(cost)) => writeln!(out, "{value}: {cost}"),
            };
        }
    }
    out
}

fn to_json(machine: &[(&'static str, String)], groups: &[(&str, &str, Vec<Row>)]) -> Value {
    let mut all = Map::new();
    for (name, fact) in machine {
        all.insert((*name).into(), fact.as_str().into());
    }
    for (_, key, rows) in groups {
        let row = |row: &Row| {
            let value = match &row.found {
                Found::Yes => json!({"present": true}),
                Found::No { cost, why: None } => json!({"present": false, "cost": cost}),
                Found::No { cost, why: Some((error, since)) } => {
                    json!({"present": false, "cost": cost, "error": error, "since": since})
                }
                Found::Value(value, _) => json!(value),
            };
            (row.name.to_owned(), value)
        };
        all.insert((*key).into(), Value::Object(rows.iter().map(row).collect()));
    }
    Value::Object(all)
}
