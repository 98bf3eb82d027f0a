//! What `--help` prints, written by hand so that it fits one screen of 80 columns. A test compares it with the options.

/// The forms of the command line.
pub(super) const USAGE: &str = "\
gotrace [OPTIONS] -e PROGRAM [ARGS]
       gotrace [OPTIONS] FILE|TOOL [ARGS]
       gotrace COMMAND [...]";

/// `gotrace --help`
pub(super) const HELP: &str = "\
Trace Linux programs, above all Go programs, with small scripts.

  gotrace [OPTIONS] -e PROGRAM [ARGS]    ARGS are $1, $2 ...; after -- they may
  gotrace [OPTIONS] FILE|TOOL [ARGS]     start with a dash; FILE - is stdin

  gotrace -e 'uprobe:./web:main.* { @[func] = count(); }' -c ./web
  gotrace golatency 'main.*' ./web

Commands, each with its own help (gotrace help list):
  list      probes that match:            gotrace list -v 'uprobe:./web:main.*'
  tools     the shipped tools, or the page of one:         gotrace tools gohttp
  build     a BPF object file:                        gotrace build x.gt -o x.o
  check     parse and type-check scripts:                    gotrace check *.gt
  fmt       scripts in the usual layout:                    gotrace fmt -w x.gt
  test, bench  run the tests or benchmarks of scripts:        gotrace test x.gt
  info      what this kernel and this user can do
  workshop  labs to learn with:                              gotrace workshop 1
  completions, man  for the shell and for man:         gotrace completions bash

Options, and what they look like:
  -e PROGRAM      run this text                -e 'begin { print(1); exit(); }'
  -c CMD          start CMD, trace it, end with it             -c './web -n 2'
  -p PID          trace only this process                      -p $(pidof web)
  -f FORMAT       text, or json with one object on each line   -f json
  -o FILE         write the answers to FILE                    -o answers.txt
  -B MODE         write after each line, seldom, or at once    -B line|full|none
  -q              say nothing of the run, unless answers are lost
  -k              tell about memory that could not be read
  -v, --verbose   tell what is attached, and all that the verifier says
  --no-warnings   hide warnings about the script
  --unsafe        allow scripts to act: system(), signal(), signal_thread()
  -I DIR, --debuginfo DIR  look in DIR too for imports, for debug information
  --dwarf-pid PID read this process's unwinding tables, for dw_ustack
  --probe-filter REGEX    leave out probes whose name does not match
  --dry-run       end after attaching;  --usdt-file-activation  has no effect
  --timeout SECS, --max-events N    end after so many seconds, printed answers
  -l, --info      as `gotrace list`, `gotrace info`    -lv 'tracepoint:sched:*'
  -d STAGE        show tokens, ast, hir, ir, bpf, object or verifier     -d bpf
  --color WHEN    auto, always or never; NO_COLOR is heeded    --color never
  -h, --help, -V, --version
";

/// Behind the help of `gotrace list`.
pub(super) const LIST: &str = "\
Examples:
  gotrace list 'uprobe:./web:main.*'      functions of a program
  gotrace list './web:main.*'             the same
  gotrace list 'uretprobe:./web:main.*'   those whose return can be traced
  gotrace list -v 'tracepoint:sched:*'    events of the kernel with their fields
  gotrace list openat                     events with that in their name
  gotrace list -v 'struct task_struct'    a type of the kernel, with offsets
  gotrace list golatency 'main.*' ./web   what a script attaches to";

/// Behind the help of `gotrace tools`.
pub(super) const TOOLS: &str = "\
Examples:
  gotrace tools                    all of them, by subject
  gotrace tools gohttp             the page of one; `gotrace gohttp` runs it
  gotrace tools -s gohttp > my.gt  its script, as the start of your own";

/// Behind the help of `gotrace workshop`.
pub(super) const WORKSHOP: &str = "\
Examples:
  gotrace workshop                     lists the labs
  gotrace workshop 1                   sets up lab 1 in ./lab01, shows its text
  gotrace workshop 1 --check brew.gt   runs brew.gt (root), says what is missing
  gotrace workshop 1 --solution        shows a script that solves it";

/// Behind the help of `gotrace build`.
pub(super) const BUILD: &str = "\
Examples:
  gotrace build count.gt -o count.o
  bpftool prog loadall count.o /sys/fs/bpf/count";

/// Behind the help of `gotrace check`.
pub(super) const CHECK: &str = "\
Example:
  gotrace check *.gt

The files of tracepoints are usually readable by root only.";

/// Behind the help of `gotrace test`.
pub(super) const TEST: &str = "\
Examples:
  gotrace test -e 'test:sums { assert(1 + 1 == 2, \"sums\"); }'
  gotrace test -f json *.gt

A test passes when it returns 0. The exit status is 1 when one does not.";

/// Behind the help of `gotrace bench`.
pub(super) const BENCH: &str = "\
Examples:
  gotrace bench -e 'bench:count { @ = count(); }'
  gotrace bench -f json *.gt

The times contain the call of the program: compare with an empty one.";

/// Behind the help of `gotrace fmt`.
pub(super) const FMT: &str = "\
Examples:
  gotrace fmt x.gt           shows it
  gotrace fmt -w *.gt *.bt   writes them";

/// Behind the help of `gotrace completions`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  gotrace completions bash > /etc/bash_completion.d/gotrace
  gotrace completions zsh > /usr/share/zsh/site-functions/_gotrace
  gotrace completions fish > ~/.config/fish/completions/gotrace.fish";

/// Behind the help of `gotrace man`.
pub(super) const MAN: &str = "\
Examples:
  gotrace man | man -l -
  gotrace man > /usr/local/share/man/man8/gotrace.8";

/// Behind the help of `gotrace info`.
pub(super) const INFO: &str = "\
GOTRACE_NO_FEATURE takes features away, to try what is done without them:
  GOTRACE_NO_FEATURE=uprobe_multi,btf gotrace info
  gotrace info -f json";
