//! The pages of the shipped tools: docs/tools/NAME.md with its usage, options and notes, which are those of the script, and the
//! tables of docs/tools.md.

use std::fmt::Write as _;

use scripts::{TOOLS, Tool};

use super::{Page, code_in_cell, escaped, folder, with_made_part};

/// The overview and one page for each tool.
pub(super) fn pages() -> Result<Vec<Page>, String> {
    let mut pages = vec![with_made_part(&folder().join("tools.md"), &tables())?];
    for tool in TOOLS {
        pages.push(with_made_part(&folder().join(format!("tools/{}.md", tool.name)), &reference(tool)?)?);
    }
    Ok(pages)
}

/// A table for each subject.
fn tables() -> String {
    let mut out = String::new();
    for (index, subject) in scripts::subjects().enumerate() {
        let gap = if index > 0 { "\n" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{gap}## `gotrace tools {subject}`\n\n| tool | what it shows |\n|---|---|");
        for tool in TOOLS.iter().filter(|tool| tool.subject == subject) {
            let _ = writeln!(out, "| [{0}](tools/{0}.md) | {1} |", tool.name, escaped(tool.summary));
        }
    }
    out
}

/// What the script says about itself: usage, options, notes.
fn reference(tool: &Tool) -> Result<String, String> {
    let (script, problems) = lang::parse(tool.name, tool.source);
    if problems.has_errors() {
        return Err(format!("{} cannot be parsed", tool.name));
    }
    let mut out = "## Usage\n\n```text\n".to_owned();
    let paragraphs = header(tool.source);
    // The first paragraph is the one-line description, which the page starts with.
    let mut notes = Vec::new();
    for paragraph in paragraphs.iter().skip(1) {
        let usage = ["Usage:", "Example:", "Examples:"];
        let (commands, text): (Vec<&String>, Vec<&String>) = paragraph
            .iter()
            .partition(|line| usage.iter().any(|u| line.starts_with(u)) || line.starts_with("   "));
        for line in commands {
            let line = usage.iter().rev().fold(line.as_str(), |line, u| line.strip_prefix(u).unwrap_or(line));
            let _ = writeln!(out, "{}", line.trim());
        }
        if !text.is_empty() {
            notes.push(text.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n"));
        }
    }
    out.push_str("```\n");
    let options = lang::options::of(&script);
    if !options.is_empty() {
        out.push_str("\n| option | meaning | default |\n|---|---|---|\n");
    }
    for option in &options {
        let form =
            if option.flag { format!("--{}", option.name) } else { format!("--{}=VALUE", option.name) };
        let default = if option.default.is_empty() { String::new() } else { code_in_cell(&option.default) };
        let _ = writeln!(out, "| {} | {} | {default} |", code_in_cell(&form), escaped(&option.help));
    }
    let (how, notes): (Vec<&String>, Vec<&String>) =
        notes.iter().partition(|note| note.starts_with("How it works:") || note.starts_with("How:"));
    chapter(&mut out, "Notes", &notes);
    chapter(&mut out, "How it works", &how);
    let _ = writeln!(out, "\n`gotrace tools --source {}` shows the script.", tool.name);
    Ok(out)
}

fn chapter(out: &mut String, title: &str, paragraphs: &[&String]) {
    if paragraphs.is_empty() {
        return;
    }
    let _ = write!(out, "\n## {title}\n");
    for paragraph in paragraphs {
        let text = ["How it works: ", "How: "]
            .iter()
            .fold(paragraph.as_str(), |t, p| t.strip_prefix(p).unwrap_or(t));
        let mut letters = text.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        // A word that is code keeps its case.
        let starts_with_name =
            text.split_whitespace().next().is_some_and(|word| word.contains(['.', '(', '_', '`']));
        let text = if starts_with_name { text.to_owned() } else { format!("{first}{}", letters.as_str()) };
        let _ = write!(out, "\n{}\n", escaped(&text));
    }
}

/// The comment that a script starts with, in paragraphs of lines.
fn header(source: &str) -> Vec<Vec<String>> {
    let mut paragraphs = vec![Vec::new()];
    for line in source.lines().skip_while(|line| line.starts_with("#!")) {
        let Some(text) = line.strip_prefix("//") else { break };
        let text = text.strip_prefix(' ').unwrap_or(text);
        match paragraphs.last_mut() {
            Some(open) if !text.is_empty() => open.push(text.to_owned()),
            _ => paragraphs.push(Vec::new()),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}
