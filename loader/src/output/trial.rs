//! How tests and benchmarks of a script ended, as text in the form that bpftrace gives it, and as JSON.

use super::json;
use serde_json::Value as Json;
use std::io::Write;
use std::time::Duration;

/// A test that has run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Test {
    /// Its name: `a` of `test:a`.
    pub name: String,
    /// It returned 0, and nothing ended it.
    pub passed: bool,
    /// What it took, the call of the program included.
    pub took: Duration,
    /// What it printed, messages included.
    pub output: Vec<u8>,
}

/// A benchmark that has run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Benchmark {
    /// Its name: `a` of `bench:a`.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// What all the runs took, the calls of the program included.
    pub took: Duration,
}

impl Test {
    /// Its lines: what it printed stands there only when it failed.
    pub(super) fn text(&self, out: &mut Vec<u8>) {
        let Test { name, passed, took, output } = self;
        // Writing to a vector cannot fail.
        let _ = writeln!(out, "[ RUN      ] {name}");
        if !passed && !output.is_empty() {
            out.extend_from_slice(output);
            if !output.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
        let how = if *passed { "[       OK ]" } else { "[  FAILED  ]" };
        let _ = writeln!(out, "{how} {name} ({} μs)", took.as_micros());
    }

    /// As an object: the time in nanoseconds.
    pub(super) fn json(&self) -> Json {
        let data = json::object([
            ("duration", nanos(self.took).into()),
            ("passed", self.passed.into()),
            ("output", json::string(&self.output)),
        ]);
        json::object([(self.name.as_str(), data)])
    }
}

impl Benchmark {
    /// Nanoseconds of a run on the average.
    fn average(&self) -> u64 {
        nanos(self.took) / self.runs.max(1)
    }

    /// As an object: the average time in nanoseconds.
    pub(super) fn json(&self) -> Json {
        let data = json::object([("average", self.average().into()), ("iters", self.runs.into())]);
        json::object([(self.name.as_str(), data)])
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The line before all tests.
pub(super) fn header(out: &mut Vec<u8>, count: usize) {
    let _ = writeln!(out, "[==========] Running {}.", tests(count));
}

/// The lines behind all tests.
pub(super) fn summary(out: &mut Vec<u8>, all: &[Test]) {
    let failed: Vec<&Test> = all.iter().filter(|test| !test.passed).collect();
    let _ = writeln!(out, "[==========] {} ran.", tests(all.len()));
    let _ = writeln!(out, "[  PASSED  ] {}.", tests(all.len() - failed.len()));
    if failed.is_empty() {
        return;
    }
    let _ = writeln!(out, "[  FAILED  ] {}, listed below:", tests(failed.len()));
    for test in failed {
        let _ = writeln!(out, "[  FAILED  ] {}", test.name);
    }
}

fn tests(count: usize) -> String {
    format!("{count} test{}", if count == 1 { "" } else { "s" })
}

/// A table of what benchmarks took.
pub(super) fn table(out: &mut Vec<u8>, all: &[Benchmark]) {
    let _ = writeln!(out, "{:<40} {:<14} Iterations\n{:-<66}", "Benchmark", "Time(ns)", "");
    for benchmark in all {
        let _ = writeln!(out, "{:<40} {:<14} {}", benchmark.name, benchmark.average(), benchmark.runs);
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    fn test(name: &str, passed: bool, output: &str) -> Test {
        Test { name: name.into(), passed, took: Duration::from_nanos(12_345), output: output.into() }
    }

    #[test]
    fn what_a_test_printed_is_shown_when_it_failed() {
        let mut out = Vec::new();
        test("a", true, "hidden").text(&mut out);
        test("b", false, "shown").text(&mut out);
        let want = "[ RUN      ] a\n[       OK ] a (12 μs)\n[ RUN      ] b\nshown\n[  FAILED  ] b (12 μs)\n";
        assert_eq!(String::from_utf8_lossy(&out), want);
    }

    #[test]
    fn a_benchmark_that_never_ran_has_no_average() {
        let never = Benchmark { name: "a".into(), runs: 0, took: Duration::from_secs(1) };
        assert_eq!(never.average(), 1_000_000_000);
    }
}
