//! Reads a script and takes it through the front end: where it comes from, its settings, its problems.

use super::{CliError, Color};
use lang::Imported;
use lang::diag::Problems;
use lang::env::Env;
use lang::{ast, hir};
use std::io::{Read, Write};
use std::path::Path;

/// The text of a script.
pub(super) struct Source {
    pub name: String,
    /// Behind its own text those of the files that it imports.
    pub text: String,
    pub imported: Imported,
    /// The shipped tool that it is.
    pub tool: Option<&'static scripts::Tool>,
}

impl Source {
    /// A program given with `-e`.
    pub fn one_liner(text: &str) -> Source {
        Source::new("-e", text)
    }

    fn new(name: &str, text: impl Into<String>) -> Source {
        Source { name: name.into(), text: text.into(), imported: Imported::default(), tool: None }
    }

    /// Adds the text of an imported file. Gives its index among the files of the script and where its text begins.
    pub fn append(&mut self, name: String, text: &str) -> (usize, u32) {
        // A comment without its end ends with its file.
        self.text.push('\n');
        let start = self.text.len();
        self.text.push_str(text);
        (self.imported.push(start, name), start as u32)
    }

    /// A script file, standard input for `-`, or a shipped tool where there is no file of that name.
    pub fn open(name: &str) -> Result<Source, CliError> {
        if name == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|source| CliError::File { path: "standard input".into(), source })?;
            return Ok(Source::new("stdin", text));
        }
        if name.is_empty() {
            return Err(CliError::with_help("the name of the script is empty", "write a program behind -e"));
        }
        let tool = scripts::find(name).filter(|_| !Path::new(name).exists());
        if let Some(tool) = tool {
            return Ok(Source { tool: Some(tool), ..Source::new(&format!("{}.gt", tool.name), tool.source) });
        }
        match std::fs::read(name) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(mut text) => {
                    // The mark that some editors put before a text.
                    if text.starts_with('\u{feff}') {
                        text.drain(..'\u{feff}'.len_utf8());
                    }
                    Ok(Source::new(name, text))
                }
                Err(_) => Err(CliError::with_help(
                    format!("{name} is not a script: it is not text"),
                    "to trace a program, write a probe: gotrace -e 'uprobe:./prog:main.* { … }'",
                )),
            },
            Err(source) if source.kind() == std::io::ErrorKind::NotFound && name.contains('{') => {
                Err(CliError::with_help(
                    format!("{name}: no such file"),
                    "put -e before the text of a program: gotrace -e 'PROGRAM'",
                ))
            }
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                let commands = ["list", "tools", "build", "check", "test", "bench", "info", "workshop"];
                let help = match lang::diag::nearest(
                    name,
                    scripts::TOOLS.iter().map(|t| t.name).chain(commands),
                ) {
                    Some(near) => format!("did you mean `gotrace {near}`?"),
                    None => {
                        "give the path of a script, a tool (`gotrace tools` lists them), or a program with -e"
                            .into()
                    }
                };
                Err(CliError::with_help(format!("{name}: no such file, and no tool of that name"), help))
            }
            Err(source) if source.kind() == std::io::ErrorKind::IsADirectory => {
                Err(CliError::with_help(format!("{name} is a directory"), "give the path of a script"))
            }
            Err(source) => Err(CliError::File { path: name.into(), source }),
        }
    }

    /// Problems as an error.
    pub fn errors(&self, problems: Problems) -> CliError {
        let problems = problems.with_files(self.imported.clone());
        CliError::Script {
            name: self.name.clone(),
            source_text: self.text.clone(),
            problems: Box::new(problems),
        }
    }

    /// One problem as an error.
    pub fn error(&self, problem: lang::diag::Problem) -> CliError {
        let mut problems = Problems::new();
        problems.push(problem);
        self.errors(problems)
    }

    /// Parses the script.
    pub fn parse(&self) -> Result<ast::Script, CliError> {
        let (script, problems) = lang::parse_files(&self.name, &self.text, &self.imported);
        if problems.has_errors() { Err(self.errors(problems)) } else { Ok(script) }
    }

    /// Checks the script; warnings go to standard error unless `quiet`.
    pub fn check(
        &self,
        script: &ast::Script,
        env: &dyn Env,
        messages: Messages,
    ) -> Result<hir::Program, CliError> {
        let (config, settings) = lang::config::from_script(script, &overrides());
        if settings.has_errors() {
            return Err(self.errors(settings));
        }
        crate::env::named_types().map_err(CliError::other)?;
        let (program, mut warnings) = lang::check(script, env, &config).map_err(|mut problems| {
            if messages.no_warnings {
                problems.drop_warnings();
            }
            self.errors(problems)
        })?;
        warnings.extend(settings);
        if messages.no_warnings {
            warnings.drop_warnings();
        }
        if !warnings.is_empty() {
            let shown = warnings.with_files(self.imported.clone()).render(
                &self.name,
                &self.text,
                messages.color.enabled(),
            );
            // Nothing can be done if that fails.
            let _ = std::io::stderr().write_all(shown.as_bytes());
        }
        Ok(program)
    }
}

/// Settings from the environment: `GOTRACE_MAX_STRLEN=200`, also with the prefix that bpftrace uses.
fn overrides() -> Vec<(String, String)> {
    std::env::vars()
        .filter_map(|(name, value)| {
            let setting = name.strip_prefix("GOTRACE_").or_else(|| name.strip_prefix("BPFTRACE_"))?;
            let setting = setting.to_lowercase();
            lang::config::SETTINGS.iter().any(|s| s.name == setting).then_some((setting, value))
        })
        .collect()
}

/// How diagnostics are shown.
#[derive(Clone, Copy, Default)]
pub(super) struct Messages {
    pub color: Color,
    pub no_warnings: bool,
}
