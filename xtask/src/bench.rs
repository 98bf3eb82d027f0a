//! `cargo xtask bench`: what gotrace costs, as ratios of alternating runs.
//!
//! Absolute times on a shared machine mean little; a ratio of medians over interleaved runs holds. Results are printed
//! and written to `docs/benchmarks.md`. The peer is the bpftrace of the distribution, or the command in
//! `GOTRACE_PEER`.

mod code;
mod compile;
mod large;
mod peer;
mod probes;
mod stacks;
mod statistics;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::generated::MANY_FUNCTIONS;
use harness::programs::{Mode, Program};
use harness::run::Running;
use harness::toolchain::{self, RELEASES};
use nix::sys::signal::Signal;
use regex_lite::Regex;

use self::peer::Peer;
use crate::TaskResult;
use crate::dist;
use crate::measure::{Cost, measure};
use crate::tools::{mount_file_systems, need_root, release_binary, root};

/// Runs of a short command per contestant.
const SHORT_RUNS: usize = 15;
/// Runs of a longer measurement.
const LONG_RUNS: usize = 7;
/// A run that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// One line of the result: what was measured, the numbers, and whether they keep the promise.
struct Line {
    what: String,
    measured: String,
    promise: String,
    kept: bool,
}

/// A section of the page: the word that chooses it, its heading, and what measures it.
type Section = (&'static str, &'static str, fn(&Path, &Path) -> Result<Measured, Box<dyn Error>>);

const SECTIONS: &[Section] = &[
    ("promises", "Promises", promises),
    ("probes", "Probes on Go functions", probes::section),
    ("code", "Generated code", code::section),
    ("stacks", "Stacks", stacks::section),
    ("large", "Large Go programs", large::section),
    ("compile", "Compiling large scripts", compile::section),
];

/// Text of a section, and whether what it measured keeps what was promised.
struct Measured {
    text: String,
    kept: bool,
}

/// `xtask bench [SECTION...]`: measures the sections named, or all, prints them and puts them into the page.
pub fn task(words: &[String]) -> TaskResult {
    if let Some(unknown) = words.iter().find(|word| SECTIONS.iter().all(|(name, ..)| name != word)) {
        let names: Vec<&str> = SECTIONS.iter().map(|(name, ..)| *name).collect();
        return Err(format!("no section `{unknown}`: there are {}", names.join(", ")).into());
    }
    need_root("bench")?;
    mount_file_systems()?;
    let gotrace = release_binary()?;
    let path = root().join("docs/benchmarks.md");
    let mut kept = true;
    for (name, heading, measure) in SECTIONS {
        if !words.is_empty() && !words.iter().any(|word| word == name) {
            continue;
        }
        let scratch = std::env::temp_dir().join(format!("gotrace-bench-{}", std::process::id()));
        fs::create_dir_all(&scratch)?;
        let measured = measure(&gotrace, &scratch);
        fs::remove_dir_all(&scratch)?;
        let measured = measured?;
        println!("## {heading}\n\n{}", measured.text);
        kept &= measured.kept;
        let page = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, with_section(&page, heading, &measured.text))?;
    }
    println!("written to {}", path.display());
    Ok(kept)
}

fn promises(gotrace: &Path, scratch: &Path) -> Result<Measured, Box<dyn Error>> {
    let mut lines = start_up(gotrace, scratch)?;
    lines.push(binary_size()?);
    lines.extend(attach_many(gotrace)?);
    let mut text = "| what | measured | promised | kept |\n|---|---|---|---|\n".to_owned();
    for Line { what, measured, promise, kept } in &lines {
        text += &format!("| {what} | {measured} | {promise} | {} |\n", if *kept { "yes" } else { "**no**" });
    }
    Ok(Measured { text, kept: lines.iter().all(|line| line.kept) })
}

/// CPU time and peak memory of a script that does nothing, against bpftrace.
fn start_up(gotrace: &Path, scratch: &Path) -> Result<Vec<Line>, Box<dyn Error>> {
    let peer = Peer::find()?;
    println!("start-up: {SHORT_RUNS} runs each of gotrace and {}", peer.name);
    let ours = [&*gotrace.to_string_lossy(), "-e", "begin { exit(); }"];
    let theirs: Vec<&str> =
        peer.command.iter().map(String::as_str).chain(["-e", "BEGIN { exit(); }"]).collect();
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..SHORT_RUNS {
        own.push(measure(&ours, scratch)?);
        other.push(measure(&theirs, scratch)?);
    }
    let floor = measure(&["/bin/true"], scratch)?;
    let middle = |costs: &[Cost], part: fn(&Cost) -> f64| median(costs.iter().map(part));
    let line = |what: &str, unit: &str, part: fn(&Cost) -> f64, promise: f64| {
        let (a, b) = (middle(&own, part), middle(&other, part));
        Line {
            what: format!("`begin {{ exit(); }}`: {what}, against {}", peer.name),
            measured: format!("{a:.1} {unit} against {b:.1} {unit}: {:.1} times less", b / a),
            promise: format!("{promise} times less than bpftrace 0.27"),
            // Older releases of the peer are lighter: the promise is about 0.27 and is judged only against it.
            kept: !peer.name.contains("0.27") || b / a >= promise,
        }
    };
    println!("(peak memory is seen from {:.1} MB on, which the measuring process has itself)", floor.peak_mb);
    Ok(vec![
        line("CPU time", "ms", |cost| cost.cpu_ms, 30.0),
        line("peak memory", "MB", |cost| cost.peak_mb, 20.0),
    ])
}

/// The size of the binary that is given to users.
fn binary_size() -> Result<Line, Box<dyn Error>> {
    println!("size: static release binary");
    let size = fs::metadata(dist::build()?)?.len();
    Ok(Line {
        what: "stripped static release binary".to_owned(),
        measured: format!("{:.2} MB", dist::mb(size)),
        promise: format!("at most {:.0} MB", dist::mb(dist::LIMIT)),
        kept: size <= dist::LIMIT,
    })
}

/// From the start of gotrace to the last probe in place, and from Ctrl-C to its end.
fn attach_many(gotrace: &Path) -> Result<Vec<Line>, Box<dyn Error>> {
    println!("attaching {MANY_FUNCTIONS} functions: {LONG_RUNS} runs");
    let many = newest("many")?;
    let script = format!("uprobe:{}:main.f* {{ @ = count(); }}", many.display());
    let attached = Regex::new(&format!("Attached {MANY_FUNCTIONS} probes"))?;
    let any_attached = Regex::new("Attached")?;
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for _ in 0..LONG_RUNS {
        let start = Instant::now();
        let running = Running::start(Command::new(gotrace).args(["-e", &script]), "")?;
        if !running.wait_for(&any_attached, LIMIT) {
            return Err(format!("gotrace did not attach: {}", running.finish(LIMIT)?.stderr).into());
        }
        up.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        running.signal(Signal::SIGINT)?;
        let outcome = running.finish(LIMIT)?;
        down.push(start.elapsed().as_secs_f64() * 1e3);
        if !attached.is_match(&outcome.stderr) {
            return Err(format!("not all functions were attached: {}", outcome.stderr).into());
        }
    }
    let line = |what: &str, times: Vec<f64>| {
        let middle = median(times);
        Line {
            what: format!(
                "{what} {MANY_FUNCTIONS} Go functions (whole run of gotrace up to, or from, there)"
            ),
            measured: format!("{middle:.0} ms"),
            promise: "below 500 ms".to_owned(),
            kept: middle < 500.0,
        }
    };
    Ok(vec![line("attaching", up), line("detaching", down)])
}

/// A target program, built with the newest Go release of the table.
fn newest(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let release = RELEASES.last().ok_or("the table of Go releases is empty")?;
    Ok(Program::named(name)?.build(toolchain::find(release.version)?, Mode::Plain)?)
}

/// The middle value; of an even number the mean of the middle two.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.wrapping_sub(1)), at(half)) }
}

/// The page with one section replaced or added; sections come in the order of [`SECTIONS`].
fn with_section(page: &str, heading: &str, text: &str) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut new = format!(
        "# What gotrace costs\n\nWritten by `cargo xtask bench`: medians of alternating runs on one machine (Linux {}, \
         {cpus} CPUs). Ratios carry over to other machines, times do not.\n",
        kernel.trim()
    );
    for (_, name, _) in SECTIONS {
        let old = page.split("\n## ").find_map(|part| part.strip_prefix(*name)?.strip_prefix("\n\n"));
        if let Some(text) = if *name == heading { Some(text) } else { old } {
            new += &format!("\n## {name}\n\n{}\n", text.trim_end());
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::{median, with_section};

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let page = with_section(&with_section("", "Promises", "one\n"), "Generated code", "two\n");
        assert!(page.ends_with("\n## Promises\n\none\n\n## Generated code\n\ntwo\n"), "{page}");
        let page = with_section(&page, "Promises", "three");
        assert!(page.ends_with("\n## Promises\n\nthree\n\n## Generated code\n\ntwo\n"), "{page}");
    }

    #[test]
    fn the_median_is_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median([]).is_nan());
    }
}
