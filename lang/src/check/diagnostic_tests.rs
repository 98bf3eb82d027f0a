//! What the user reads of wrong scripts, whole: those of `tests/compat`, for each row of bpftrace's language, and those of `wrong.txt`.

use super::tests::TestEnv;

const ROWS: &str = include_str!("../../../tests/compat/language.txt");

/// What a script is told, its settings included.
fn told(source: &str) -> String {
    let (script, problems) = crate::parse("t.gt", source);
    if problems.has_errors() {
        return problems.render("t.gt", source, false);
    }
    let (config, problems) = crate::config::from_script(&script, &[]);
    if problems.has_errors() {
        return problems.render("t.gt", source, false);
    }
    let checked = crate::check(&script, &TestEnv::new(), &config);
    checked.map_or_else(|problems| problems, |(_, warnings)| warnings).render("t.gt", source, false)
}

/// The wrong scripts by section, each with its row and how its message begins.
fn refusals() -> Vec<(&'static str, Vec<[&'static str; 3]>)> {
    let mut sections: Vec<(&str, Vec<[&str; 3]>)> = Vec::new();
    let (mut row, mut script, mut starts) = ("", None, true);
    for line in ROWS.lines().filter(|line| !line.starts_with("# ")) {
        if let Some(title) = line.strip_prefix("= ") {
            sections.push((title, Vec::new()));
        } else if line.is_empty() {
            starts = true;
        } else if std::mem::take(&mut starts) {
            row = line.split(' ').next().unwrap_or(line);
        } else if let Some(wrong) = line.strip_prefix("- ") {
            script = Some(wrong);
        } else if let (Some(message), Some((_, list))) = (line.strip_prefix("! "), sections.last_mut()) {
            list.extend(script.take().map(|script| [row, script, message]));
        }
    }
    sections
}

/// Where the tests' machine has no such thing, or more than the one that the row was written on, something else is wrong.
const ELSEWHERE: &str = "(another message on the machine of these tests)\n";

#[test]
fn diagnostics_of_all_rows() {
    for (title, rows) in refusals() {
        let shown = |[row, script, message]: &[&str; 3]| {
            let text = told(script);
            let same = text.strip_prefix("error: ").is_some_and(|text| text.starts_with(message));
            format!("--- {row} {script}\n{}", if same { &text } else { ELSEWHERE })
        };
        let all: Vec<String> = rows.iter().map(shown).collect();
        if !all.is_empty() {
            let name = format!("rows_{}", title.to_lowercase().replace(' ', "_"));
            insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, all.join("\n")) });
        }
    }
}

#[test]
fn most_rows_are_the_same_on_the_machine_of_the_tests() {
    let all: Vec<[&str; 3]> = refusals().into_iter().flat_map(|(_, rows)| rows).collect();
    let same = |[_, script, message]: &&[&str; 3]| {
        told(script).strip_prefix("error: ").is_some_and(|text| text.starts_with(message))
    };
    let count = all.iter().filter(same).count();
    assert!(all.len() > 150 && count * 10 > all.len() * 8, "{count} of {}", all.len());
}

#[test]
fn scripts_of_beginners() {
    let scripts = include_str!("wrong.txt").lines().filter(|line| !line.starts_with("# "));
    let shown: Vec<String> = scripts.map(|script| format!("--- {script}\n{}", told(script))).collect();
    assert!(shown.len() > 250);
    assert_text!(shown.join("\n"));
}
