//! The target programs themselves: built with every Go release of the suite in every mode, run untraced.
//!
//! What a traced program must print is what it prints here, so these outputs are written down once, by hand.

use std::collections::HashSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use harness::judge::suite_releases;
use harness::programs::{Mode, Program, sources};
use harness::run::{End, Outcome, run};
use harness::toolchain::Release;

type Fault = Box<dyn std::error::Error>;

/// Program, arguments, standard output and how it ends.
const UNTRACED: &[(&str, &[&str], &str, End)] = &[
    ("web", &[], "golang-meetup-2020.com 2020: 200\ngolang-meetup-2020.com 2021: 200\n", End::Code(0)),
    (
        "deep",
        &[],
        "small calls 38800 returns 38800\nmedium calls 5200 returns 5200\nlarge calls 5200 returns 5200\n\
         fall calls 38800 returns 0\ncatch calls 400 returns 400\nleave calls 38800 returns 0\n\
         round calls 2000 returns 1600\nchecksum 9442870796089441472\n",
        End::Code(0),
    ),
    ("fib", &[], "fib 15 = 610 calls 1973\n", End::Code(0)),
    (
        "rets",
        &[],
        "pick 1 sum 1000\npick 2 sum 4001\npick 10 sum 100045\npick 50 sum 2501225\n42 pair 21\n",
        End::Code(0),
    ),
    (
        "types",
        &[],
        "signed -64000321608\nunsigned 18000000004000060212\ntext firstsecond\nmixed 7.5\nslices 30\nstructs 10\n\
         dynamic 77shape boxan error\ncollections 15\narrays 20\ntwelve 78\ndivide 3 2\nmethods 37 13 24\n\
         find no name disc false\nprocess 200\n",
        End::Code(0),
    ),
    (
        "values",
        &[],
        "person 7\nlist 1\nnone true\nslices 25\nfloats -2.499999999675e+10\n2.5 4\ntimes -3m0s\ndynamic <nil>\n\
         dynamic int\ndynamic int8\ndynamic string\ndynamic bool\ndynamic float64\ndynamic main.Level\n\
         dynamic *main.Person\ndynamic main.Geo\ndynamic []int\ndynamic map[string]int\n\
         dynamic *errors.errorString\ndynamic time.Duration\nfailure <nil>\nfailure plain\nfailure wrapped: inner\n\
         failure no such file or directory\nfailure open /none: no such file or directory\n\
         failure connect: connection refused\nfailure dial tcp: connect: connection refused\n\
         failure strconv.Atoi: parsing \"12x\": invalid syntax\nfailure link /a /b: denied\nfailure code 5\n\
         failure no wrap: 3\nopen 2 <nil> open /none: no such file or directory\nopen 1 level 7 <nil>\napply 8\n",
        End::Code(0),
    ),
    (
        "gomaps",
        &[],
        "small 10\nstructs 6\nheader 2\nlarge 1201\nnone 0\nnested 4\nlookup 11\nlookup 23\nlookup 2\n",
        End::Code(0),
    ),
    (
        "generic",
        &[],
        "larger 8 pear\napply [<1> <2> <3>]\nlist 1 2 1\neach 5 10\neach 6 11\neach x 20\nadder 114 abcbcbc\n",
        End::Code(0),
    ),
    ("pages", &[], "length 240\n", End::Code(0)),
    ("ranges", &[], "4 found\n-1 none\n20 found\n5 found\n10\n6 found\n", End::Code(0)),
    ("goids", &["-locked"], "work calls 1000\n", End::Code(0)),
    ("leaf", &[], "leaf true 10\n", End::Code(0)),
    ("callc", &[], "42\n42\n42\n42\n42\n", End::Code(0)),
    ("words", &[], "sum 200\n", End::Code(0)),
    ("lines", &[], "calls 122 5050\n", End::Code(0)),
    ("shapes", &[], "counter 21 halves 9 survived 10 abab\n", End::Code(0)),
    ("served", &["-goroutines", "3", "-rounds", "2"], "sleeps 12\n", End::Code(0)),
    ("kinds", &[], "words 18 <nil>\nwordsx 22 passed\n", End::Code(0)),
    ("soak", &["-for", "200ms"], "wrong 0\n", End::Code(0)),
    ("crash", &[], "steps 10\n", End::Code(3)),
    ("crash", &["-how", "panic"], "steps 10\n", End::Code(2)),
    ("crash", &["-how", "kill"], "steps 10\n", End::Signal(9)),
    (
        "args",
        &[],
        "six 104000000191\neight 36\nten 37\nhello world x1\nhello you x2\nhello world x3\narea 2440\n\
      counter 4726 to be read\n",
        End::Code(0),
    ),
    ("layouts", &[], "handle 70004\nhandle 21\n", End::Code(0)),
    ("cxx", &[], "apples 252\n", End::Code(0)),
    ("oxide", &[], "top 27\n", End::Code(0)),
    ("jit", &[], "called 3\n", End::Code(0)),
    ("threads", &[], "work calls 800\n", End::Code(0)),
    ("ctypes", &[], "handle 27\n", End::Code(0)),
    ("deeds", &["signals", "opens", "none"], "signals\nopens\n", End::Code(0)),
    ("chain", &[], "sums 4 7\n", End::Code(0)),
    ("allocs", &[], "nodes 1000 points 500 pages 100 huges 10 slices 200\n", End::Code(0)),
    ("park", &["-for", "5ms"], "waited 1 times\n", End::Code(0)),
    (
        "httpmix",
        &[],
        "GET / 200\nGET /items/7?verbose=1 200\nPOST /items 201\nGET /missing 404\nDELETE /items/7 204\n\
         GET /slow 200\nGET /broken 500\n",
        End::Code(0),
    ),
    (
        "sqldb",
        &[],
        "2 rows: SELECT name FROM items WHERE id = ?\n2 rows: SELECT name FROM slow WHERE id = ?\n\
         true INSERT INTO items VALUES (?)\nfalse DELETE FROM nowhere\n",
        End::Code(0),
    ),
    ("tlspair", &[], "you said: a secret\n", End::Code(0)),
    (
        "resolve",
        &[],
        "tea.test [127.0.0.1] true\nlate.test [127.0.0.1] true\nnothing.example [] false\n",
        End::Code(0),
    ),
    ("dialfail", &[], "dial tcp 127.0.0.1:1: connect: connection refused\n", End::Code(0)),
    ("cpu", &[], "44999999850000000\n", End::Code(0)),
    ("frames", &[], "done\n", End::Code(0)),
    ("lookup", &["127.0.0.1"], "127.0.0.1 known known\n", End::Code(0)),
    ("panics", &[], "caught 6\n", End::Code(0)),
    ("panics", &["-die"], "caught 6\n", End::Code(2)),
    ("shortread", &[], "hasty 100\ncareful 200\nexact 100\n", End::Code(0)),
    ("collect", &[], "cycles 3 threads 3\n", End::Code(0)),
    ("many", &["1"], "sum 12497500\n", End::Code(0)),
];

#[test]
fn every_program_prints_what_cases_rely_on() -> Result<(), Fault> {
    for release in suite_releases() {
        for row in UNTRACED {
            check(row, release, Mode::Plain)?;
        }
    }
    Ok(())
}

#[test]
fn build_modes_do_not_change_what_programs_print() -> Result<(), Fault> {
    for release in suite_releases() {
        for mode in Mode::all() {
            for row in UNTRACED.iter().filter(|(name, ..)| matches!(*name, "web" | "deep" | "rets")) {
                check(row, release, mode)?;
            }
        }
    }
    Ok(())
}

fn check(
    &(name, args, expected, end): &(&str, &[&str], &str, End),
    release: &'static Release,
    mode: Mode,
) -> Result<(), Fault> {
    let program = Program::named(name)?;
    if !program.builds_with(release) {
        return Ok(());
    }
    let what = format!("{name} {args:?}, Go {}, {}", release.version, mode.name());
    let binary = program.build(release, mode).map_err(|e| format!("{what}: {e}"))?;
    let Outcome { stdout, end: ended, .. } = run(Command::new(binary).args(args), Duration::from_secs(60))?;
    assert!(stdout == *expected, "{what} printed:\n{stdout}");
    assert_eq!(ended, end, "{what}");
    Ok(())
}

/// A case names a program without its language.
#[test]
fn each_name_is_one_program() -> Result<(), Fault> {
    let mut names = HashSet::new();
    for entry in fs::read_dir(sources())? {
        let path = entry?.path();
        let is_header = path.extension().is_some_and(|suffix| suffix == "h");
        let name = path.file_stem().unwrap_or_default().to_owned();
        assert!(is_header || names.insert(name), "another program is called {} too", path.display());
    }
    Ok(())
}
