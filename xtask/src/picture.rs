//! `cargo xtask picture`: docs/session.svg, the picture of the README: commands that are run, and what they print, as on a terminal.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use harness::programs::{Mode, Program};
use harness::toolchain::RELEASES;

use crate::TaskResult;
use crate::tools::{need_root, release_binary, root};

/// The commands of the session: what is asked, as a comment, and the command.
const SESSION: &[(&str, &str)] = &[
    ("what is this server asked for?", "gotrace gohttp -c ./httpmix"),
    (
        "who calls prepareAnswer, with which arguments, in which goroutine?",
        r#"gotrace -e 'uprobe:./web:main.prepareAnswer { printf("g=%d %s %d%s", goid, args.name, args.year, ustack(2)); }' -c ./web"#,
    ),
    ("how long does a function take?", "gotrace golatency main.handler -c './web -self 200'"),
];
/// The programs that it traces, of `tests/programs`.
const PROGRAMS: &[&str] = &["web", "httpmix"];
/// What programs print themselves is left out: lines that start so.
const OF_PROGRAMS: &[&str] = &["golang-meetup", "GET ", "POST ", "DELETE "];
/// The most lines that are shown of one command.
const LINES: usize = 12;
/// The most letters of a line.
const WIDTH: usize = 118;
/// Height of a line and width of a letter, in pixels.
const LINE: usize = 19;
const LETTER: usize = 8;

/// Runs the session and writes the picture.
pub fn task(_words: &[String]) -> TaskResult {
    need_root("picture")?;
    let folder = std::env::temp_dir().join(format!("gotrace-picture-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let drawn = session(&folder);
    fs::remove_dir_all(&folder)?;
    let path = root().join("docs/session.svg");
    fs::write(&path, picture(&drawn?))?;
    println!("{}", path.display());
    Ok(true)
}

/// The lines of the session: what kind each is of, and its text.
fn session(folder: &Path) -> Result<Vec<(&'static str, String)>, Box<dyn std::error::Error>> {
    symlink(release_binary()?, folder.join("gotrace"))?;
    let newest = RELEASES.last().ok_or("no Go release")?;
    for name in PROGRAMS {
        symlink(Program::named(name)?.build(newest, Mode::Plain)?, folder.join(name))?;
    }
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut lines = Vec::new();
    for (question, command) in SESSION {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).current_dir(folder).env("PATH", &path);
        let output = shell.output()?;
        if !output.status.success() {
            return Err(format!("{command}\n{}", String::from_utf8_lossy(&output.stderr)).into());
        }
        lines.push(("comment", format!("# {question}")));
        lines.push(("command", format!("# {command}")));
        let text = String::from_utf8_lossy(&output.stdout);
        let answers =
            text.lines().filter(|l| !l.is_empty() && !OF_PROGRAMS.iter().any(|own| l.starts_with(own)));
        lines.extend(answers.take(LINES).map(|line| ("answer", shortened(line))));
        lines.push(("answer", String::new()));
    }
    lines.pop();
    Ok(lines)
}

/// A line without the folders of source files, which are those of this machine.
fn shortened(line: &str) -> String {
    match line.split_once("@/") {
        Some((symbol, file)) => format!("{symbol}@{}", file.rsplit('/').next().unwrap_or_default()),
        None => line.to_owned(),
    }
}

fn picture(lines: &[(&str, String)]) -> String {
    let rows: Vec<(&str, String)> = lines.iter().flat_map(|(kind, text)| wrapped(kind, text)).collect();
    let (width, height) = (WIDTH * LETTER + 40, rows.len() * LINE + 40);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <title>A session with gotrace</title>\n\
         <style>text {{ font: 13px 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d8dee9; white-space: pre; }} \
         .command {{ fill: #a3be8c; font-weight: bold; }} .comment {{ fill: #88a0b8; }}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#20262e\"/>\n"
    );
    for (index, (kind, text)) in rows.iter().enumerate() {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let y = 30 + index * LINE;
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "<text x=\"20\" y=\"{y}\" class=\"{kind}\" xml:space=\"preserve\">{text}</text>");
    }
    out + "</svg>\n"
}

/// A line as rows that fit, cut at spaces where there are some.
fn wrapped<'a>(kind: &'a str, text: &str) -> Vec<(&'a str, String)> {
    let mut rows = Vec::new();
    let mut rest = text;
    while rest.chars().count() > WIDTH {
        let limit = rest.char_indices().nth(WIDTH).map_or(rest.len(), |(at, _)| at);
        let cut = rest[..limit].rfind(' ').filter(|at| *at > 2).unwrap_or(limit);
        rows.push((kind, rest[..cut].to_owned()));
        rest = rest[cut..].trim_start();
    }
    rows.push((kind, rest.to_owned()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_at_spaces() {
        let text = format!("{} end", "word ".repeat(30));
        let rows = wrapped("answer", &text);
        assert!(
            rows.len() == 2 && rows.iter().all(|(_, row)| row.chars().count() <= WIDTH && row.ends_with('d'))
        );
    }

    #[test]
    fn signs_of_svg_are_escaped() {
        assert!(picture(&[("answer", "a <b> & c".into())]).contains("a &lt;b&gt; &amp; c"));
        assert_eq!(shortened("  f+1@/home/me/x/main.go:3"), "  f+1@main.go:3");
    }
}
