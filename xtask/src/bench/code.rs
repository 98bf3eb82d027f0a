//! Size and speed of the generated code: typical scripts, run by gotrace and by the peer at the same time on the same events.
//!
//! The kernel tells both: instructions after its own rewriting (`xlated_prog_len`), bytes of machine code (`jited_prog_len`), and,
//! with statistics switched on, the time and the number of runs of each program. Both tracers are attached during one
//! run of the target, so that what else the machine does hits both; who attaches first, and so runs first, alternates.
//! `GOTRACE_BENCH_ONLY` chooses scripts by a part of their name, for work on one of them.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aya::sys::{Stats, enable_stats};
use harness::programs::{Mode, Program};
use harness::run::{Running, checked};
use harness::toolchain::RELEASES;
use nix::sys::signal::Signal;

use super::peer::Peer;
use super::statistics::{Figures, LIMIT, figures, statistics, wait_until_attached};
use super::{Measured, newest};

/// Times that each script is measured.
const ROUNDS: usize = 4;
/// Iterations of the target in one measurement.
const EVENTS: u32 = 4000;
/// Iterations that show whether a tracer is attached, and that fill caches.
const WARM_UP: u32 = 50;

/// What is measured: a name, and the script, in which `TARGET` and `FIB` are paths of target programs and `ME` a
/// condition that the event comes from the target. Both languages read it the same.
const SCRIPTS: &[(&str, &str)] = &[
    ("count of system calls", "tracepoint:syscalls:sys_enter_openat /ME/ { @ = count(); }"),
    ("count by thread", "tracepoint:syscalls:sys_enter_openat /ME/ { @[tid] = count(); }"),
    ("count by name", "tracepoint:syscalls:sys_enter_openat /ME/ { @[comm] = count(); }"),
    ("count by two keys", "tracepoint:syscalls:sys_enter_openat /ME/ { @[pid, comm] = count(); }"),
    ("count by call number", "tracepoint:raw_syscalls:sys_enter /ME/ { @[args.id] = count(); }"),
    ("files by name", "tracepoint:syscalls:sys_enter_openat /ME/ { @[str(args.filename)] = count(); }"),
    ("bytes by name", "tracepoint:syscalls:sys_exit_read /ME/ { @bytes[comm] = sum(args.ret); }"),
    ("histogram", "tracepoint:syscalls:sys_exit_read /ME && args.ret > 0/ { @ = hist(args.ret); }"),
    ("histogram by name", "tracepoint:syscalls:sys_exit_read /ME/ { @[comm] = hist(args.ret); }"),
    ("linear histogram", "tracepoint:syscalls:sys_exit_read /ME/ { @ = lhist(args.ret, 0, 2000, 200); }"),
    ("statistics by thread", "tracepoint:syscalls:sys_exit_read /ME/ { @[tid] = stats(args.ret); }"),
    (
        "least and greatest",
        "tracepoint:syscalls:sys_exit_read /ME/ { @low = min(args.ret); @high = max(args.ret); }",
    ),
    (
        "latency of a system call",
        "tracepoint:syscalls:sys_enter_read /ME/ { @start[tid] = nsecs; } tracepoint:syscalls:sys_exit_read /ME && @start[tid]/ { @ns[comm] = hist(nsecs - @start[tid]); delete(@start, tid); }",
    ),
    (
        "opensnoop",
        "tracepoint:syscalls:sys_enter_openat /ME/ { @name[tid] = args.filename; } tracepoint:syscalls:sys_exit_openat /ME && @name[tid]/ { $ret = args.ret; $fd = $ret >= 0 ? $ret : -1; $errno = $ret >= 0 ? 0 : -$ret; printf(\"%-6d %-16s %4d %3d %s\\n\", pid, comm, $fd, $errno, str(@name[tid])); delete(@name, tid); }",
    ),
    (
        "printf of a file name",
        "tracepoint:syscalls:sys_enter_openat /ME/ { printf(\"%s %s\\n\", comm, str(args.filename)); }",
    ),
    (
        "printf of numbers",
        "tracepoint:syscalls:sys_enter_openat /ME/ { printf(\"%d %d %x\\n\", pid, tid, args.flags); }",
    ),
    ("count by argument", "uprobe:TARGET:work { @[arg0] = count(); }"),
    ("count by text", "uprobe:TARGET:work { @[str(arg1)] = count(); }"),
    ("condition on a text", "uprobe:TARGET:work /str(arg1) == \"of eight\"/ { @ = count(); }"),
    ("tuple of five", "uprobe:TARGET:work { @[pid, tid, comm, arg0, str(arg1)] = sum(arg2); }"),
    ("user stacks", "uprobe:TARGET:work { @[ustack, comm] = count(); }"),
    (
        "latency of a function",
        "uprobe:TARGET:work { @start[tid] = nsecs; } uretprobe:TARGET:work /@start[tid]/ { @us = hist((nsecs - @start[tid]) / 1000); delete(@start, tid); }",
    ),
    (
        "branches and counters",
        "uprobe:TARGET:work { $n = arg0; if ($n % 2 == 0) { @even++; } else { @odd++; } if ($n > @most) { @most = $n; } @last[$n] = arg2; }",
    ),
    ("register of a Go function", "uprobe:FIB:main.fib { @[reg(\"ax\") % 8] = hist(reg(\"ax\")); }"),
];

/// One script's result.
struct Row {
    name: &'static str,
    own: Figures,
    peer: Figures,
}

/// Measures all scripts and gives the section's text.
pub fn section(gotrace: &Path, scratch: &Path) -> Result<Measured, Box<dyn Error>> {
    let peer = Peer::find()?;
    // Kept until the end: the kernel counts as long as it is open.
    let _statistics = enable_stats(Stats::RunTime)?;
    // Copies, because a peer in a root directory of its own may see the scratch folder only.
    let newest_release = RELEASES.last().ok_or("the table of Go releases is empty")?;
    let events = copy(&Program::named("events")?.build(newest_release, Mode::Plain)?, scratch)?;
    let fib = copy(&newest("fib")?, scratch)?;
    let only = std::env::var("GOTRACE_BENCH_ONLY").unwrap_or_default();
    let mut rows = Vec::new();
    for (name, script) in SCRIPTS.iter().filter(|(name, _)| name.contains(&only)) {
        println!("generated code: {name}");
        let script =
            script.replace("TARGET", &events.to_string_lossy()).replace("FIB", &fib.to_string_lossy());
        let row = measure(name, &script, [gotrace, &events, &fib], &peer);
        rows.push(row.map_err(|e| format!("{name}: {e}"))?);
    }
    Ok(Measured { text: text(&rows, &peer), kept: true })
}

fn copy(program: &Path, scratch: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let to = scratch.join(program.file_name().ok_or("a program without a name")?);
    fs::copy(program, &to)?;
    Ok(to)
}

fn measure(
    name: &'static str,
    script: &str,
    [gotrace, events, fib]: [&Path; 3],
    peer: &Peer,
) -> Result<Row, Box<dyn Error>> {
    // A tracepoint sees every process of the machine: only the target's events are for the body of the script.
    let script = script.replace("ME", "comm == \"events\"");
    let target = |times: u32| -> Result<(), Box<dyn Error>> {
        if script.contains("main.fib") {
            // `fib -n 16` is 3193 calls.
            checked(Command::new(fib).args(["-n", if times < EVENTS { "5" } else { "16" }]))?;
        } else {
            checked(Command::new(events).arg(times.to_string()))?;
        }
        Ok(())
    };
    let mut rounds: [Vec<Figures>; 2] = Default::default();
    for round in 0..ROUNDS {
        let mut commands = [(Command::new(gotrace), 0), (peer.command(), 1)];
        commands.rotate_left(round % 2);
        let mut tracers = Vec::new();
        for (command, who) in &mut commands {
            let running = Running::start(command.args(["-e", &script]), "")?;
            tracers.push((wait_until_attached(running, || target(WARM_UP))?, *who));
        }
        let before = statistics();
        target(EVENTS)?;
        let after = statistics();
        for ((tracer, programs), who) in tracers {
            rounds[who].push(figures(&programs, &before, &after)?);
            tracer.signal(Signal::SIGINT)?;
            tracer.finish(LIMIT)?;
        }
    }
    let [own, peer] = rounds.map(|rounds| Figures::median(&rounds));
    Ok(Row { name, own, peer })
}

fn text(rows: &[Row], peer: &Peer) -> String {
    let mut text = format!(
        "gotrace against {}, both attached to the same events: instructions after the kernel's rewriting, bytes of machine \
         code, and nanoseconds per event (sums, where a script has two probes).\n\n\
         | script | instructions | ratio | machine code | ratio | time | ratio |\n|---|---|---|---|---|---|---|\n",
        peer.name
    );
    let mut line = |name: &str, cells: [(f64, f64); 3]| {
        let _ = write!(text, "| {name} |");
        for (own, peer) in cells {
            let _ = write!(text, " {own:.0} / {peer:.0} | {:.2} |", own / peer);
        }
        text.push('\n');
    };
    for Row { name, own, peer } in rows {
        line(name, [(own.insns, peer.insns), (own.jited, peer.jited), (own.ns, peer.ns)]);
    }
    let mean = |part: fn(&Figures) -> f64| {
        let logs = rows.iter().map(|row| (part(&row.own) / part(&row.peer)).ln());
        (logs.sum::<f64>() / rows.len().max(1) as f64).exp()
    };
    let means = [mean(|f| f.insns), mean(|f| f.jited), mean(|f| f.ns)];
    let _ = write!(text, "| **geometric mean** |");
    for mean in means {
        let _ = write!(text, " | **{mean:.2}** |");
    }
    text.push('\n');
    text
}
