//! The options of a script: what its calls of `getopt` name, for its help and for telling options from other arguments.

use crate::ast::{Expr, ExprKind, Script};

/// An option `--name=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptOption {
    /// Its name without dashes.
    pub name: String,
    /// Whether it may stand alone.
    pub flag: bool,
    /// The default as text; empty for a flag.
    pub default: String,
    /// What the script says about it; may be empty.
    pub help: String,
}

/// The options of a script in the order in which they are mentioned first.
#[must_use]
pub fn of(script: &Script) -> Vec<ScriptOption> {
    let mut options: Vec<ScriptOption> = Vec::new();
    let mut exprs: Vec<&Expr> = Vec::new();
    for probe in &script.probes {
        exprs.extend(&probe.predicate);
        exprs.extend(probe.body.exprs());
    }
    exprs.extend(script.fns.iter().flat_map(|decl| decl.body.exprs()));
    exprs.reverse();
    while let Some(e) = exprs.pop() {
        exprs.extend(e.kind.children());
        let ExprKind::Call { name, args } = &e.kind else { continue };
        let (true, Some(ExprKind::Str(text))) = (name.text == "getopt", args.first().map(|a| &a.kind)) else {
            continue;
        };
        let name = String::from_utf8_lossy(text).into_owned();
        let (flag, default) = match args.get(1).map(|a| &a.kind) {
            None | Some(ExprKind::Bool(false)) => (true, String::new()),
            Some(ExprKind::Bool(true)) => (true, "true".to_owned()),
            Some(ExprKind::Str(text)) => (false, String::from_utf8_lossy(text).into_owned()),
            Some(ExprKind::Int(n)) => (false, n.to_string()),
            Some(_) => (false, String::new()),
        };
        let help = match args.get(2).map(|a| &a.kind) {
            Some(ExprKind::Str(text)) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        };
        match options.iter_mut().find(|o| o.name == name) {
            Some(known) if known.help.is_empty() => known.help = help,
            Some(_) => {}
            None => options.push(ScriptOption { name, flag, default, help }),
        }
    }
    options
}
