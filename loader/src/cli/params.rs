//! The words behind a script: its options (`--name=value` or `--name value`, for `getopt`) and the others, which are `$1`, `$2`, …

use super::{Cli, CliError};
use clap::CommandFactory;
use lang::ast::Script;
use lang::options::{self, ScriptOption};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;

/// What a script is given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Params {
    pub positional: Vec<String>,
    pub options: BTreeMap<String, String>,
}

/// An option behind a script, as it was typed. Whether the word behind it is its value, only the script tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Typed {
    /// `--name` or `--name=value`.
    pub text: String,
    /// Index, among the words behind the script that are no options, of the one that follows directly.
    pub followed_by: Option<usize>,
}

/// Takes the words that look like long options and are none of gotrace's out of a command line that runs a script: those behind the
/// script. `--help` behind the script is the script's too.
pub(super) fn separate(words: Vec<OsString>) -> (Vec<OsString>, Vec<Typed>) {
    let command = Cli::command();
    let takes_value = |word: &str| {
        let argument = command.get_arguments().find(|a| {
            a.get_short().is_some_and(|c| word == format!("-{c}"))
                || a.get_long().is_some_and(|l| word == format!("--{l}"))
        });
        argument.is_some_and(|a| a.get_action().takes_values())
    };
    let known = |word: &str| {
        let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
        command.get_arguments().any(|a| a.get_long() == Some(name) && name != "help")
    };
    let (mut kept, mut options) = (Vec::new(), Vec::<Typed>::new());
    let mut script = false;
    let mut behind = 0;
    let mut words = words.into_iter().peekable();
    kept.extend(words.next());
    while let Some(word) = words.next() {
        let text = word.to_string_lossy().into_owned();
        if text == "--" {
            kept.push(word);
            kept.extend(words);
            break;
        }
        if !script && (text == "help" || command.get_subcommands().any(|c| c.get_name() == text)) {
            kept.push(word);
            kept.extend(words);
            break;
        }
        if script && text.starts_with("--") && text.len() > 2 && !known(&text) {
            let plain = words.peek().is_some_and(|next| !next.to_string_lossy().starts_with('-'));
            options.push(Typed { text, followed_by: plain.then_some(behind) });
            continue;
        }
        let value = takes_value(&text);
        behind += usize::from(script && !text.starts_with('-'));
        script |= text == "-e" || !text.starts_with('-') || text == "-";
        kept.push(word);
        if value {
            kept.extend(words.next());
        }
    }
    (kept, options)
}

/// Tells options from other words. `options` are those that can be nothing else; in `words` they are only looked for when the script
/// has options.
///
/// # Errors
/// An option that the script does not have, or one without a value.
pub(super) fn split(script: &Script, words: &[String], options: &[Typed]) -> Result<Params, CliError> {
    let known = options::of(script);
    let mut params = Params::default();
    let mut values = Vec::new();
    for typed in options {
        let next = typed.followed_by.and_then(|index| Some((index, words.get(index)?.as_str())));
        if option(&known, &typed.text, next.map(|(_, word)| word), &mut params)? {
            values.extend(next.map(|(index, _)| index));
        }
    }
    let mut rest = words
        .iter()
        .enumerate()
        .filter(|(index, _)| !values.contains(index))
        .map(|(_, word)| word)
        .peekable();
    while let Some(word) = rest.next() {
        match word.strip_prefix("--") {
            Some("") if !known.is_empty() => break,
            Some(_) if !known.is_empty() => {
                let next = rest.peek().filter(|next| !next.starts_with('-')).map(|next| next.as_str());
                if option(&known, word, next, &mut params)? {
                    rest.next();
                }
            }
            _ => params.positional.push(word.clone()),
        }
    }
    params.positional.extend(rest.cloned());
    Ok(params)
}

/// A warning about words behind a script that takes none: mostly the command line of a program that was meant to be started.
pub(super) fn unused(text: &str, params: &Params) -> Option<String> {
    let first = params.positional.first()?;
    if text.split('$').skip(1).any(|behind| behind.starts_with(|c: char| c == '#' || c.is_ascii_digit())) {
        return None;
    }
    let all = params.positional.join(" ");
    Some(format!(
        "warning: the script has no $1: `{first}` is not used\n  = help: to start a program and trace it, give it to -c: -c '{all}'"
    ))
}

/// Adds an option. Gives whether `next`, the word behind it, is its value.
fn option(
    known: &[ScriptOption],
    word: &str,
    next: Option<&str>,
    params: &mut Params,
) -> Result<bool, CliError> {
    let text = word.trim_start_matches('-');
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let Some(option) = known.iter().find(|o| o.name == name) else {
        let message = format!("the script has no option --{name}");
        let help = match lang::diag::nearest(name, known.iter().map(|o| o.name.as_str())) {
            Some(near) => format!("did you mean --{near}?"),
            None if known.is_empty() => "it has none; gotrace --help shows those of gotrace".into(),
            None => {
                let names: Vec<String> = known.iter().map(|o| format!("--{}", o.name)).collect();
                format!("it has {}", names.join(", "))
            }
        };
        return Err(CliError::with_help(message, help));
    };
    let next = next.filter(|_| value.is_none() && !option.flag);
    if value.or(next).is_none() && !option.flag {
        let example = if option.default.is_empty() { "VALUE" } else { &option.default };
        let message = format!("the option --{name} needs a value");
        return Err(CliError::with_help(message, format!("write --{name}={example}")));
    }
    params.options.insert(name.to_owned(), value.or(next).unwrap_or_default().to_owned());
    Ok(next.is_some())
}

/// Whether the help of the script is asked for.
pub(super) fn wants_help(script: &Script, words: &[String], options: &[Typed]) -> bool {
    let help = |word: &str| word == "--help";
    options.iter().any(|typed| help(&typed.text))
        || (words.iter().any(|word| help(word)) && !options::of(script).is_empty())
}

/// The help of a script: its first comment, and its options.
pub(super) fn help(script: &Script) -> String {
    let lines = script.source.lines().skip_while(|l| l.starts_with("#!") || l.trim().is_empty());
    let comment = lines.map_while(|l| l.strip_prefix("//")).map(|l| l.strip_prefix(' ').unwrap_or(l));
    let mut out: String = comment.map(|l| format!("{l}\n")).collect();
    let known = options::of(script);
    if !known.is_empty() {
        out.push_str(if out.is_empty() { "Options:\n" } else { "\nOptions:\n" });
    }
    for option in &known {
        let form =
            if option.flag { format!("--{}", option.name) } else { format!("--{}=VALUE", option.name) };
        let default =
            if option.default.is_empty() { String::new() } else { format!(" (default {})", option.default) };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {form:<22} {}{default}", option.help);
    }
    if out.is_empty() {
        out.push_str("The script has no options and no description.\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn separated(words: &[&str]) -> (Vec<String>, Vec<String>) {
        let (kept, options) = separate(words.iter().map(OsString::from).collect());
        let kept = kept.into_iter().map(|w| w.into_string().expect("text")).collect();
        (kept, options.into_iter().map(|typed| typed.text).collect())
    }

    #[test]
    fn options_behind_the_script_are_its_own() {
        let (kept, options) = separated(&[
            "gotrace",
            "x.gt",
            "--n=5",
            "./web",
            "-c",
            "./web --foo",
            "--help",
            "--timeout",
            "3",
        ]);
        assert_eq!(kept, ["gotrace", "x.gt", "./web", "-c", "./web --foo", "--timeout", "3"]);
        assert_eq!(options, ["--n=5", "--help"]);
        assert_eq!(separated(&["gotrace", "--help"]).1, [""; 0]);
        assert_eq!(separated(&["gotrace", "--nonsense", "x.gt"]).1, [""; 0]);
        assert_eq!(separated(&["gotrace", "list", "x.gt", "--help"]).1, [""; 0]);
        assert_eq!(separated(&["gotrace", "-e", "begin { }", "--n"]).1, ["--n"]);
        assert_eq!(separated(&["gotrace", "x.gt", "--", "--n"]).1, [""; 0]);
    }

    #[test]
    fn a_value_may_be_the_next_word() {
        let source = "begin { print(getopt(\"n\", 5)); print(getopt(\"verbose\")); }";
        let (script, _) = lang::parse("x.gt", source);
        let given = |line: &[&str]| {
            let (kept, options) = separate(line.iter().map(OsString::from).collect());
            // What clap leaves of these command lines: the words behind `gotrace x.gt` that are no options of gotrace.
            let words: Vec<String> = kept.into_iter().skip(2).filter_map(|w| w.into_string().ok()).collect();
            let words: Vec<String> = words.into_iter().filter(|w| w != "-q" && w != "--").collect();
            split(&script, &words, &options).expect("known options")
        };
        let params = given(&["gotrace", "x.gt", "a", "--n", "7", "-q", "b"]);
        assert_eq!(
            (params.positional.as_slice(), params.options["n"].as_str()),
            (["a".into(), "b".into()].as_slice(), "7")
        );
        let params = given(&["gotrace", "x.gt", "--verbose", "a", "--n=7", "b"]);
        assert_eq!(params.positional, ["a", "b"]);
        let params = given(&["gotrace", "x.gt", "a", "--", "--n", "7", "b"]);
        assert_eq!(params.options["n"], "7");
    }

    #[test]
    fn words_that_no_script_asks_for() {
        let params = Params { positional: vec!["./web".into(), "2".into()], ..Params::default() };
        assert_eq!(
            unused("begin { $x = 1; }", &params).as_deref(),
            Some(
                "warning: the script has no $1: `./web` is not used\n  = help: to start a program and trace it, give it to -c: -c './web 2'"
            )
        );
        assert_eq!(unused("uprobe:$1:main.f { }", &params), None);
        assert_eq!(unused("begin { print($#); }", &params), None);
        assert_eq!(unused("begin { }", &Params::default()), None);
    }

    #[test]
    fn options_and_words() {
        let source = "begin { print(getopt(\"n\", 5, \"how many\")); print(getopt(\"verbose\")); }";
        let (script, _) = lang::parse("x.gt", source);
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let typed = |text: &str, followed_by| vec![Typed { text: text.to_owned(), followed_by }];
        let params = split(&script, &words(&["a", "--verbose", "--", "--n"]), &typed("--n=7", Some(0)))
            .expect("known options");
        assert_eq!(params.positional, ["a", "--n"]);
        assert_eq!(params.options.get("n").map(String::as_str), Some("7"));
        assert_eq!(params.options.get("verbose").map(String::as_str), Some(""));
        assert!(split(&script, &[], &typed("--nn", None)).is_err());
        assert!(split(&script, &[], &typed("--n", None)).is_err());
        assert!(help(&script).contains("--n=VALUE") && help(&script).contains("how many (default 5)"));
    }
}
