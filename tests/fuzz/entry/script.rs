//! Scripts: any text is parsed and checked, and its problems are shown.

#[path = "../../../codegen/tests/common/mod.rs"]
#[allow(
    dead_code,
    reason = "only the scripts and the machine are used, not what checks a script that must be right"
)]
mod common;

/// Parses a script, checks it against a table in place of a machine, and renders all problems.
pub fn check(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    let show = |problems: &lang::diag::Problems| problems.render("fuzzed", source, false).len();
    let (script, problems) = lang::parse("fuzzed", source);
    show(&problems);
    if problems.has_errors() {
        return;
    }
    let (config, problems) = lang::config::from_script(&script, &[]);
    show(&problems);
    if problems.has_errors() {
        return;
    }
    match lang::check(&script, &common::Table, &config) {
        Ok((_, problems)) | Err(problems) => show(&problems),
    };
}

/// The scripts of the code generator's tests.
pub fn seeds() -> Vec<Vec<u8>> {
    common::SCRIPTS.iter().map(|(_, text)| text.as_bytes().to_vec()).collect()
}

/// Puts a script into the usual layout, which must be a script again, and already in that layout.
///
/// # Panics
/// When it is not.
pub fn format(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    let Ok(once) = lang::reformat("fuzzed", source) else { return };
    match lang::reformat("fuzzed", &once) {
        Ok(twice) => assert_eq!(once, twice, "of {source:?}"),
        Err(problems) => panic!("{source:?} became {once:?}: {}", problems.render("fuzzed", &once, false)),
    }
}
