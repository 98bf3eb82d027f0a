//! `cargo xtask demo`: gotrace at work on a real Go program, as a new user would use it.
//!
//! The program is the web server of `tests/programs/web`, built with the oldest Go that gotrace supports (arguments on
//! the stack) and with a current one (arguments in registers), plain and stripped. Each part says what it does, shows
//! the command line and what gotrace prints, and checks it. Everything that is started is also ended.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::programs::{Mode, Program};
use harness::run::{End, Outcome, Running, run};
use harness::toolchain;
use nix::sys::signal::Signal;
use regex_lite::Regex;

use crate::TaskResult;
use crate::tools::{mount_file_systems, need_root, release_binary};

/// No part takes longer than this unless something hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// One thing that is shown: gotrace starts the program and traces it.
struct Show {
    /// What is asked, as a heading.
    title: &'static str,
    program: &'static str,
    args: &'static [&'static str],
    mode: Mode,
    script: &'static str,
    /// Patterns that the answers must match.
    expect: &'static [&'static str],
}

const SHOWS: &[Show] = &[
    Show {
        title: "The arguments of a function: prepareAnswer(name string, year int, status int)",
        program: "web",
        args: &[],
        mode: Mode::Plain,
        script: r#"uprobe:./web:main.prepareAnswer { printf("%d %d\n", sarg2, sarg3); }"#,
        expect: &["(?m)^2020 200$", "(?m)^2021 200$"],
    },
    Show {
        title: "All argument words: a Go string is a pointer and a length (22 bytes here)",
        program: "web",
        args: &[],
        mode: Mode::Plain,
        script: r#"uprobe:./web:main.prepareAnswer { printf("%p %d %d %d\n", sarg0, sarg1, sarg2, sarg3); }"#,
        expect: &["(?m)^0x[0-9a-f]+ 22 2020 200$", "(?m)^0x[0-9a-f]+ 22 2021 200$"],
    },
    Show {
        title: "The string itself and the goroutine, in a binary without symbols",
        program: "web",
        args: &[],
        mode: Mode::Stripped,
        script: r#"uprobe:./web:main.prepareAnswer { printf("%s %d %d g=%d\n", gostr(sarg0, sarg1), sarg2, sarg3, goid); }"#,
        expect: &[r"(?m)^golang-meetup-2020\.com 2020 200 g=\d+$"],
    },
    Show {
        title: "Latency of every function of the program, in microseconds, per call and goroutine",
        program: "web",
        args: &["-self", "50"],
        mode: Mode::Plain,
        script: "uprobe:./web:main.* { @start[callid] = nsecs; }\n\
                 uretprobe:./web:main.* /@start[callid]/ {\n  \
                   @us[func] = hist((nsecs - @start[callid]) / 1000);\n  delete(@start, callid);\n}\n\
                 end { clear(@start); }",
        expect: &[r"(?m)^@us\[main\.prepareAnswer\]:\n\[", r"(?m)^@us\[main\.handler\]:\n\["],
    },
    Show {
        title: "2,000 goroutines whose stacks grow under the probes: every call is counted once and paired",
        program: "deep",
        args: &[],
        mode: Mode::Plain,
        script: "uprobe:./deep:main.medium { @calls = count(); @start[callid] = nsecs; }\n\
                 uretprobe:./deep:main.medium /@start[callid]/ { @paired = count(); delete(@start, callid); }\n\
                 end { clear(@start); }",
        expect: &["(?m)^@calls: 5200$", "(?m)^@paired: 5200$"],
    },
];

/// The shown part of the stack ABI: the string through the stack pointer, as it lies in memory.
const BY_HAND: Show = Show {
    title: "The string by hand: on the stack ABI it lies above the return address",
    program: "web",
    args: &[],
    mode: Mode::Plain,
    script: "uprobe:./web:main.prepareAnswer {\n  $p = reg(\"sp\") + 8;\n  $n = reg(\"sp\") + 16;\n  \
             printf(\"%s\\n\", str(*($p), *($n)));\n}",
    expect: &[r"(?m)^golang-meetup-2020\.com$"],
};

/// Runs the whole demonstration.
pub fn task(_words: &[String]) -> TaskResult {
    need_root("demo")?;
    mount_file_systems()?;
    println!("Building gotrace in the release profile, and the Go programs of the demonstration.");
    let gotrace = release_binary()?;
    let start = Instant::now();
    let (mut shown, mut right) = (0, 0);
    let mut tell = |good: bool| {
        shown += 1;
        right += usize::from(good);
    };
    for version in ["1.15", "1.27"] {
        let release = toolchain::find(version)?;
        println!("\n\n######## Go {} ########", release.version);
        let web = Program::named("web")?.build(release, Mode::Plain)?;
        tell(live_requests(&gotrace, &web)?);
        if version == "1.15" {
            tell(show(&gotrace, &BY_HAND, &web)?);
        }
        for part in SHOWS {
            let binary = Program::named(part.program)?.build(release, part.mode)?;
            tell(show(&gotrace, part, &binary)?);
        }
    }
    println!(
        "\n{right} of {shown} parts came out as they should, in {:.0} s.",
        start.elapsed().as_secs_f64()
    );
    Ok(right == shown)
}

fn heading(title: &str) {
    println!("\n=== {title}");
}

/// A running server, traced by its process id, gets one request.
fn live_requests(gotrace: &Path, web: &Path) -> Result<bool, Box<dyn Error>> {
    heading("Which functions does one request run? (the server is already running)");
    let (folder, _) = place(web)?;
    let server = Running::start(Command::new(web).args(["-serve", "-addr", "127.0.0.1:0"]), "")?;
    server.wait_for(&Regex::new("listening on .*\n")?, LIMIT);
    let address = server.printed().rsplit(' ').next().unwrap_or_default().trim().to_owned();
    let script = r#"uprobe:./web:main.* { printf("%s - %s\n", comm, func); }"#;
    let pid = server.id().to_string();
    println!("$ ./web -serve &\n$ gotrace -e '{script}' -p {pid}");
    let mut command = Command::new(gotrace);
    let tracer = Running::start(command.current_dir(folder).args(["-e", script, "-p", &pid]), "")?;
    tracer.wait_for(&Regex::new("Attached")?, LIMIT);
    println!("GET http://{address}/golang-meetup-2020.com\n{}", request(&address)?);
    tracer.wait_for(&Regex::new(r"main\.prepareAnswer\n")?, LIMIT);
    tracer.signal(Signal::SIGINT)?;
    let outcome = tracer.finish(LIMIT)?;
    println!("{}", outcome.stdout.trim_end());
    server.signal(Signal::SIGTERM)?;
    let ended = server.finish(LIMIT)?;
    let expected = ["main.handler", "main.checkSite", "main.checkSite.func1", "main.prepareAnswer"];
    let all = expected.iter().all(|name| outcome.stdout.contains(&format!("web - {name}\n")));
    Ok(verdict(all && outcome.end == End::Code(0) && ended.end == End::Code(0), &outcome))
}

/// One plain HTTP request; the answer's body.
fn request(address: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET /golang-meetup-2020.com HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("the server answered without a body")?;
    Ok(body.trim_end().to_owned())
}

fn show(gotrace: &Path, part: &Show, binary: &Path) -> Result<bool, Box<dyn Error>> {
    heading(part.title);
    let (folder, name) = place(binary)?;
    let target = std::iter::once(format!("./{name}")).chain(part.args.iter().map(|&arg| arg.to_owned()));
    let target = target.collect::<Vec<_>>().join(" ");
    println!("$ gotrace -e '{}' -c '{target}'", part.script);
    let untraced = run(Command::new(binary).args(part.args), LIMIT)?;
    let answers = std::env::temp_dir().join(format!("gotrace-demo-{}", std::process::id()));
    let mut command = Command::new(gotrace);
    command.current_dir(folder).arg("-o").arg(&answers).args(["-e", part.script, "-c", &target]);
    let mut outcome = run(&mut command, LIMIT)?;
    let text = std::fs::read_to_string(&answers).unwrap_or_default();
    // It is missing when gotrace did not come so far; then the answers are empty and the part has failed anyway.
    let _may_be_missing = std::fs::remove_file(&answers);
    println!("{}", text.trim());
    let unchanged = untraced.stdout == outcome.stdout;
    let mut all = true;
    for pattern in part.expect {
        all &= Regex::new(pattern)?.is_match(&text);
    }
    if !unchanged {
        outcome.stderr += "the program printed something else than in an untraced run\n";
    }
    Ok(verdict(all && unchanged && outcome.end == End::Code(0), &outcome))
}

/// Folder and name of a binary, so that scripts can say `./web`.
fn place(binary: &Path) -> Result<(PathBuf, String), Box<dyn Error>> {
    let folder = binary.parent().ok_or("a program without a folder")?.to_path_buf();
    let name = binary.file_name().ok_or("a program without a name")?.to_string_lossy().into_owned();
    Ok((folder, name))
}

fn verdict(good: bool, outcome: &Outcome) -> bool {
    if good {
        println!("--- as expected; the program did not notice.");
    } else {
        println!("--- NOT as expected (ended by {}):\n{}", outcome.end, outcome.stderr.trim_end());
    }
    good
}
