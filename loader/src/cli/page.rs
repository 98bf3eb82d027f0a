//! Pages of the manual on a terminal: Markdown without its signs.
//!
//! It knows what the pages of tools use: headings, code, links, tables, comments. It is no reader of all of Markdown.

/// The widths of a table's cells but the last one.
const CELL: usize = 24;

/// The text of a page.
pub(super) fn plain(markdown: &str) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            out.push_str("    ");
            out.push_str(line);
            out.push('\n');
        } else if let Some(shown) = prose(line) {
            // What was left out leaves no second empty line.
            if !(shown.is_empty() && out.ends_with("\n\n")) {
                out.push_str(&shown);
                out.push('\n');
            }
        }
    }
    out
}

/// A line outside of code; none for comments and the rules of tables.
fn prose(line: &str) -> Option<String> {
    if line.starts_with("<!--") || line.starts_with("|--") {
        return None;
    }
    if let Some(cells) = line.strip_prefix("| ").and_then(|rest| rest.strip_suffix('|')) {
        let cells: Vec<String> = cells.split(" |").map(|cell| inline(cell.trim())).collect();
        let row: String = cells.iter().map(|cell| format!("{cell:<CELL$} ")).collect();
        return Some(format!("  {}", row.trim_end()));
    }
    let heading = line.trim_start_matches('#');
    if heading.len() < line.len() && heading.starts_with(' ') {
        return Some(heading.trim().to_uppercase());
    }
    Some(inline(line))
}

/// A line without the targets of links and without escapes.
fn inline(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        let text_and_target =
            link.split_once("](").and_then(|(text, behind)| Some((text, behind.split_once(')')?)));
        rest = match text_and_target {
            Some((text, (_, behind))) if !before.ends_with('\\') && !text.contains(']') => {
                out.push_str(text);
                behind
            }
            _ => {
                out.push('[');
                link
            }
        };
    }
    out.push_str(rest);
    ["*", "_", "<", ">", "[", "]", "#", "|"]
        .iter()
        .fold(out, |text, sign| text.replace(&format!("\\{sign}"), sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_go_and_code_stays() {
        let page = "# goconn\n\nAs [gohttp](gohttp.md) does, `a[0]`, \\[b\\], (\\*T).f.\n\n<!-- not run: x -->\n```console\n# gotrace\n[x](y)\n```\n\n\
                    | option | meaning |\n|---|---|\n| `--a` | all of it |\n";
        let expected = "GOCONN\n\nAs gohttp does, `a[0]`, [b], (*T).f.\n\n    # gotrace\n    [x](y)\n\n  option                   meaning\n  `--a`                    all of it\n";
        assert_eq!(plain(page), expected);
    }

    #[test]
    fn no_page_of_a_tool_keeps_its_signs() {
        for tool in scripts::TOOLS {
            let shown = plain(tool.page);
            assert!(shown.starts_with(&tool.name.to_uppercase()), "{}", tool.name);
            assert!(!shown.contains("](") && !shown.contains("<!--") && !shown.contains("\n#"), "{shown}");
        }
    }
}
