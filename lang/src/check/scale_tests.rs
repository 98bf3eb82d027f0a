//! Long scripts, most of them wrong: the time that they take grows with their length, not with its square.

use super::tests::outcome;
use std::time::{Duration, Instant};

/// What is wrong with the lines, whether they stand in a block, and a line by its number.
type Lines = (&'static str, bool, fn(usize) -> String);

const SCRIPTS: &[Lines] = &[
    ("warnings", true, |n| format!("{n} + 1;\n")),
    ("warnings on one line", true, |n| format!("{n} + 1; ")),
    ("unused variables", true, |n| format!("$v{n} = {n};\n")),
    ("unknown names", true, |n| format!("$v{n} = no_such_{n};\n")),
    ("unknown variables", true, |n| format!("print($v{n});\n")),
    ("unknown functions", true, |n| format!("no_such_{n}(1);\n")),
    ("two types", true, |n| format!("@m{n} = 1; @m{n} = \"a\";\n")),
    ("maps", true, |n| format!("@m{n}[{n}] = {n};\n")),
    ("entries", true, |n| format!("@m[{n}] = {n};\n")),
    ("syntax errors", false, |_| "begin { print(; }\n".into()),
    ("unknown probes", false, |n| format!("no_such_{n}:x {{ }}\n")),
    ("unknown names in probes", false, |n| format!("begin {{ print(no_such_{n}); }}\n")),
    ("wrong characters", false, |_| "begin { ' ` \\ }\n".into()),
    ("macros", false, |n| format!("macro m{n}(e) {{ e + {n} }} begin {{ print(m{n}(1)); }}\n")),
    ("structures", false, |n| format!("struct S{n} {{ int a; }}; begin {{ print(sizeof(struct S{n})); }}\n")),
    ("open braces", false, |_| "begin { if (1) {\n".into()),
];

fn script(lines: usize, (_, in_block, line): &Lines) -> String {
    let text: String = (0..lines).map(line).collect();
    if *in_block { format!("begin {{\n{text}}}\n") } else { text }
}

fn cost(source: &str) -> Duration {
    let start = Instant::now();
    assert!(!outcome(source).is_empty());
    start.elapsed()
}

#[test]
fn time_grows_with_the_length_of_a_script() {
    for kind in SCRIPTS {
        let (short, long) = (script(100, kind), script(1000, kind));
        // Ten times as long: ten times the time, or a hundred times where each line looks at all others. Other work on the machine
        // may be in the way, so not every attempt counts.
        let linear = || cost(&long) < cost(&short) * 40 + Duration::from_millis(50);
        assert!((0..4).any(|_| linear()), "{}", kind.0);
    }
}
