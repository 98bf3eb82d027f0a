//! Output, and the end of the run.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::{Expr as Ast, ExprKind as AstKind};
use crate::check::{Call, Checked, Checker, Outcome, Value, with_article};
use crate::diag::Problem;
use crate::format::{Conv, Format, Piece, Size, Use};
use crate::hir::{Action, Agg, Builtin as Node, Expr, ExprKind, Fun, Severity, StmtKind};
use crate::span::Span;
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "printf",
        form: Form::Statement,
        args: (1, usize::MAX),
        signature: "printf(FORMAT [, VALUE, …])",
        doc: "Prints by a format: `%d %i %u %o %x %X %c %p` for numbers, `%s` or `%v` for any value, `%r %rx %rh` for buffers, with \
              flags, width and precision as in C; a width or precision of `*` is an argument before the value.",
        example: "uprobe:./web:main.handler { printf(\"%-16s %6d %s\\n\", comm, pid, func); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: printf,
    },
    Builtin {
        name: "errorf",
        form: Form::Statement,
        args: (1, usize::MAX),
        signature: "errorf(FORMAT [, VALUE, …])",
        doc: "Prints by a format on standard error, with the place in the script, as an error.",
        example: "uprobe:libc:malloc /arg0 == 0/ { errorf(\"nothing asked for by %s\", comm); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| {
            let (format, values) = formatted(checker, call)?;
            emit(Action::Report(Severity::Error, format), values)
        },
    },
    Builtin {
        name: "warnf",
        form: Form::Statement,
        args: (1, usize::MAX),
        signature: "warnf(FORMAT [, VALUE, …])",
        doc: "Prints by a format on standard error, with the place in the script, as a warning.",
        example: "uprobe:libc:malloc /arg0 > 1000000/ { warnf(\"%d bytes for %s\", arg0, comm); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| {
            let (format, values) = formatted(checker, call)?;
            emit(Action::Report(Severity::Warning, format), values)
        },
    },
    Builtin {
        name: "debugf",
        form: Form::Statement,
        args: (1, 4),
        signature: "debugf(FORMAT [, VALUE, …])",
        doc: "Writes a line to the kernel's trace pipe (`/sys/kernel/tracing/trace_pipe`), which the whole machine shares: for finding out what \
              a program does when its records do not arrive. Up to three numbers and texts, with the conversions `%d %i %u %x %X %c %p %s` and widths.",
        example: "uprobe:./web:main.handler { debugf(\"%d in %s\", pid, comm); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: debugf,
    },
    Builtin {
        name: "cat",
        form: Form::Statement,
        args: (1, usize::MAX),
        signature: "cat(FORMAT [, VALUE, …])",
        doc: "Prints a file, the first `max_cat_bytes` of it; its name is made by a format.",
        example: "tracepoint:sched:sched_process_exec { cat(\"/proc/%d/cgroup\", pid); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| {
            let (format, values) = formatted(checker, call)?;
            emit(Action::Cat(format), values)
        },
    },
    Builtin {
        name: "system",
        form: Form::Statement,
        args: (1, usize::MAX),
        signature: "system(FORMAT [, VALUE, …])",
        doc: "Runs a shell command, which is made by a format, and prints its output. Needs `--unsafe`.",
        example: "interval:s:1 { system(\"ps -o comm= -p %d\", pid); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| {
            checker.unsafe_call(call)?;
            let (format, values) = formatted(checker, call)?;
            emit(Action::System(format), values)
        },
    },
    Builtin {
        name: "print",
        form: Form::Statement,
        args: (1, 3),
        signature: "print(VALUE) or print(@map [, TOP [, DIVISOR]])",
        doc: "Prints a value, a map, or an entry of a map. For a map, only the TOP greatest entries, each divided by \
              DIVISOR.",
        example: "tracepoint:syscalls:sys_exit_read /args.ret > 0/ { @bytes[comm] = sum(args.ret); }\n\
                  interval:s:1 { print(@bytes, 10, 1024); clear(@bytes); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: print,
    },
    Builtin {
        name: "join",
        form: Form::Statement,
        args: (1, 2),
        signature: "join(STRINGS [, SEPARATOR])",
        doc: "Prints an array of strings such as `argv`, the first 16 of them, with a separator (a space).",
        example: "tracepoint:syscalls:sys_enter_execve { join(args.argv); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: join,
    },
    Builtin {
        name: "exit",
        form: Form::Statement,
        args: (0, 1),
        signature: "exit([CODE])",
        doc: "Ends the run, after the maps are printed; the code becomes the exit status of gotrace.",
        example: "interval:s:10 { exit(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: exit,
    },
];

/// Most values of one printf.
const MAX_VALUES: usize = 128;
/// Most strings that join() prints.
const JOIN_STRINGS: u64 = 16;
/// Longest string that join() prints, its end included.
const JOIN_STRING_SIZE: u32 = 256;

fn emit(action: Action, args: Vec<Expr>) -> Checked<Outcome> {
    Ok(Outcome::Effect(vec![StmtKind::Emit { action, args }]))
}

fn printf(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let (format, values) = formatted(checker, call)?;
    emit(Action::Printf(format), values)
}

/// A format and the values it takes.
fn formatted(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<(Format, Vec<Expr>)> {
    let [format_arg, values @ ..] = call.args else { return checker.no_arguments(call) };
    let format = parse_format(checker, format_arg);
    // What `%s` prints is read whole.
    let is_text = |n: usize| format.as_ref().is_ok_and(|f| f.uses().nth(n) == Some(Use::Value(Conv::Text)));
    let value = |(n, v): (usize, &Ast)| if is_text(n) { checker.shown(v) } else { checker.expr(v) };
    let checked: Vec<Checked<Expr>> = values.iter().enumerate().map(value).collect();
    let mut format = format?;
    if values.len() > MAX_VALUES {
        return checker.fail(Problem::error(
            call.span,
            format!("{}() takes at most {MAX_VALUES} values", call.name.text),
        ));
    }
    let wanted = format.uses().count();
    if wanted != values.len() {
        let problem = Problem::error(
            call.span,
            format!(
                "the format takes {wanted} value{}, not {}",
                if wanted == 1 { "" } else { "s" },
                values.len()
            ),
        );
        return checker.fail(match values.get(wanted) {
            Some(surplus) => problem.label(surplus.span, "no conversion prints this"),
            None => problem.label(format_arg.span, "a conversion has no value"),
        });
    }
    let values = checked.into_iter().collect::<Checked<Vec<Expr>>>()?;
    let mut fits = Ok(());
    for (use_, value) in format.uses().zip(&values) {
        let checked = match use_ {
            Use::Size => check_size(checker, value),
            Use::Value(conv) => check_conversion(checker, conv, value),
        };
        if let Err(stop) = checked {
            fits = Err(stop);
        }
    }
    fits?;
    mark_registers(checker, &mut format, &values);
    Ok((format, values))
}

/// Marks the conversions `%d` that print a register of code whose types are not known: `printf("%d", retval)`. What a function of C calls
/// its `int` leaves the upper half of a register zero, so a negative one would look like a large number. A register of a Go program
/// holds mostly 64-bit numbers, which are shown as they are.
fn mark_registers(checker: &Checker<'_>, format: &mut Format, values: &[Expr]) {
    if super::site::is_go(checker) {
        return;
    }
    let uses: Vec<Use> = format.uses().collect();
    let values =
        uses.iter().zip(values).filter(|(used, _)| matches!(used, Use::Value(_))).map(|(_, value)| value);
    let conversions = format.pieces.iter_mut().filter_map(|piece| match piece {
        Piece::Conv(spec) => Some(spec),
        Piece::Text(_) => None,
    });
    for (spec, value) in conversions.zip(values) {
        let is_register = value.ty == Type::U64
            && matches!(
                value.kind,
                ExprKind::Builtin(
                    Node::Retval | Node::ResultWord(_) | Node::Arg(_) | Node::Sarg(_) | Node::Reg(_)
                )
            );
        spec.register = is_register && spec.conv == Conv::Signed && !spec.long;
    }
}

fn debugf(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let (format, values) = formatted(checker, call)?;
    let span = call.args.first().map_or(call.span, |a| a.span);
    let text = match kernel_format(&format) {
        Ok(text) => text.into(),
        Err(conversion) => {
            let message = format!("the kernel does not print by `{conversion}`");
            let problem = Problem::error(span, message)
                .note("it knows %d, %i, %u, %x, %X, %c, %p and %s, with a width and the flags `-`, `+`, ` ` and `0`");
            return checker.fail(problem.help("`printf` prints by all formats"));
        }
    };
    if let Some(value) = values.iter().find(|v| !v.ty.is_scalar() && !matches!(v.ty, Type::Str(_))) {
        let message = format!("the kernel prints numbers and text, this is {}", with_article(&value.ty));
        return checker.fail(Problem::error(value.span, message).help("`printf` prints values of all types"));
    }
    let problem = Problem::warning(
        call.span,
        "debugf() writes to the kernel's trace pipe, which the whole machine shares",
    );
    checker.warn(problem.help("`printf`, `warnf` and `errorf` write where the answers of the script go"));
    let values =
        values.into_iter().map(|v| if v.ty.is_scalar() { checker.cast_to(v, &Type::U64) } else { v });
    let kind = ExprKind::Apply(Fun::TracePrint(text), values.collect());
    Ok(Outcome::Effect(vec![StmtKind::Expr(Expr::new(kind, Type::I64, call.span))]))
}

/// A format as `bpf_trace_printk` takes it (`bpf_bprintf_prepare`, kernel/bpf/helpers.c); numbers have 64 bits, and `%p` shows the real address.
///
/// # Errors
/// A conversion that it does not know.
fn kernel_format(format: &Format) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    for piece in &format.pieces {
        let spec = match piece {
            Piece::Text(text) => {
                text.iter().for_each(|b| if *b == b'%' { out.extend(b"%%") } else { out.push(*b) });
                continue;
            }
            Piece::Conv(spec) => spec,
        };
        let conversion = match spec.conv {
            Conv::Signed => "lld",
            Conv::Unsigned => "llu",
            Conv::HexLower => "llx",
            Conv::HexUpper => "llX",
            Conv::Pointer => "llx",
            Conv::Char => "c",
            Conv::Text => "s",
            Conv::Octal => return Err("%o".into()),
            Conv::Float(form) => return Err(form.conversion().into()),
            Conv::Buffer | Conv::BufferHex | Conv::BufferHexSpaced => return Err("%r".into()),
            Conv::AllocationFlags => return Err("%gr".into()),
        };
        if spec.alt || spec.precision.is_some() || spec.bits.is_some() {
            let what = if spec.alt {
                "%#"
            } else if spec.bits.is_some() {
                "%h"
            } else {
                "%."
            };
            return Err(format!("{what}{}", conversion.trim_start_matches('l')));
        }
        let flags = [(spec.left, '-'), (spec.plus, '+'), (spec.space, ' '), (spec.zero, '0')];
        let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
        let width = match spec.width {
            None => String::new(),
            Some(Size::Fixed(n)) => n.to_string(),
            Some(Size::Argument) => return Err(format!("%*{}", conversion.trim_start_matches('l'))),
        };
        let prefix = if spec.conv == Conv::Pointer { "0x" } else { "" };
        out.extend(format!("{prefix}%{flags}{width}{conversion}").bytes());
    }
    Ok(out)
}

fn parse_format(checker: &mut Checker<'_>, arg: &Ast) -> Checked<Format> {
    let AstKind::Str(bytes) = &arg.kind else {
        let text = checker.text_arg(arg, "the format")?;
        return Format::parse(text.as_bytes()).or_else(|e| checker.fail(Problem::error(arg.span, e.message)));
    };
    Format::parse(bytes).or_else(|error| {
        // Without escapes the offset in the bytes is the offset in the script.
        let plain = arg.span.range().len() == bytes.len() + 2;
        let start = arg.span.start as usize + 1 + error.at;
        let span = if plain { Span::new(start, (start + 2).min(arg.span.end as usize)) } else { arg.span };
        checker.fail(Problem::error(span, error.message))
    })
}

fn check_size(checker: &mut Checker<'_>, value: &Expr) -> Checked<()> {
    if matches!(value.ty, Type::Int { .. }) {
        return Ok(());
    }
    let message = format!("a width or precision of `*` is an integer, this is {}", with_article(&value.ty));
    checker.fail(Problem::error(value.span, message).help("the value that is printed comes behind it"))
}

fn check_conversion(checker: &mut Checker<'_>, conv: Conv, value: &Expr) -> Checked<()> {
    let ty = &value.ty;
    let number = matches!(
        ty,
        Type::Int { .. } | Type::Enum(_) | Type::Bool | Type::Ptr { .. } | Type::Duration | Type::Time
    );
    let (right, name, wants) = match conv {
        Conv::Signed => (number, "%d", "a number"),
        Conv::Unsigned => (number, "%u", "a number"),
        Conv::Octal => (number, "%o", "a number"),
        Conv::HexLower => (number, "%x", "a number"),
        Conv::HexUpper => (number, "%X", "a number"),
        Conv::Char => (number, "%c", "a number"),
        Conv::Float(form) => (matches!(ty, Type::Float(_)), form.conversion(), "a floating-point number"),
        Conv::Pointer => (number, "%p", "an address"),
        Conv::Text => (*ty != Type::Void && !matches!(ty, Type::Tuple(l) if l.is_empty()), "%s", "a value"),
        Conv::Buffer => (matches!(ty, Type::Buf(_)), "%r", "a buffer"),
        Conv::BufferHex => (matches!(ty, Type::Buf(_)), "%rx", "a buffer"),
        Conv::AllocationFlags => (number, "%gr", "a number"),
        Conv::BufferHexSpaced => (matches!(ty, Type::Buf(_)), "%rh", "a buffer"),
    };
    if right {
        return Ok(());
    }
    let problem =
        Problem::error(value.span, format!("`{name}` prints {wants}, this is {}", with_article(ty)));
    checker.fail(match (wants, ty) {
        (_, Type::Void) => problem,
        (_, Type::Tuple(list)) if list.is_empty() => problem.note("a tuple without members is no value"),
        ("a buffer", Type::Int { .. } | Type::Ptr { .. }) => problem.help("`buf(ADDRESS, LENGTH)` reads one"),
        ("a floating-point number", Type::Int { .. }) => problem.help("`%d` prints it"),
        _ => problem.help("`%s` prints it"),
    })
}

fn print(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [what, rest @ ..] = call.args else { return checker.no_arguments(call) };
    if let AstKind::Map { name, keys } = &what.kind {
        if keys.is_empty() {
            let (map, name) = checker.map_arg(what)?;
            checker.assigned(map, &name)?;
            let mut number = |arg: Option<&Ast>, what: &str| -> Checked<u32> {
                let Some(arg) = arg else { return Ok(0) };
                let n = checker.constant(arg, what)?;
                match u32::try_from(n) {
                    Ok(n) => Ok(n),
                    Err(_) => checker
                        .fail(Problem::error(arg.span, format!("{what} is a number from 0 to {}", u32::MAX))),
                }
            };
            let top = number(rest.first(), "the number of entries");
            let div = number(rest.get(1), "the divisor");
            return emit(Action::PrintMap { map, top: top?, div: div? }, Vec::new());
        }
        if let [surplus, ..] = rest {
            return checker.fail(Problem::error(surplus.span, "only whole maps have a top and a divisor"));
        }
        let id = checker.maps.id(name);
        if let Some((
            Value::Agg {
                agg: Agg::Hist { .. } | Agg::Lhist { .. } | Agg::Stats { .. } | Agg::Tseries { .. },
                ..
            },
            _,
        )) = &checker.maps.get(id).value
        {
            // Too large for a record: it is read when the record arrives.
            let (map, key) = checker.map_entry(name, keys, what.span)?;
            return emit(Action::PrintEntry(map), key.into_iter().collect());
        }
        let value = checker.expr(what)?;
        let ExprKind::MapGet { map, key: Some(key) } = &value.kind else {
            return emit(Action::Print, vec![value]);
        };
        let (map, key) = (*map, (**key).clone());
        return emit(Action::PrintEntry(map), vec![key, value]);
    }
    if let [surplus, ..] = rest {
        let help = match what.kind {
            AstKind::Str(_) => "`printf` prints values in a text",
            _ => "to print several values, write a tuple: `print((a, b))`",
        };
        let problem = Problem::error(surplus.span, "only maps have a top and a divisor");
        return checker.fail(problem.help(help));
    }
    let value = checker.shown(what)?;
    check_conversion(checker, Conv::Text, &value)?;
    emit(Action::Print, vec![value])
}

fn join(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [strings, rest @ ..] = call.args else { return checker.no_arguments(call) };
    let separator = match rest.first() {
        Some(arg) => checker.text_arg(arg, "the separator"),
        None => Ok(" ".into()),
    };
    let array = checker.hidden_var(strings.span);
    let (address, space) = checker.address_arg(strings)?;
    let separator = separator?;
    let (set, array) = checker.set_hidden(array, address);
    let size = JOIN_STRING_SIZE.min(checker.max_string());
    let mut args = Vec::new();
    for i in 0..JOIN_STRINGS {
        let entry = checker.offset(array.clone(), i * 8);
        let load = ExprKind::Load { addr: Box::new(entry), space };
        let addr = Box::new(Expr::new(load, Type::U64, strings.span));
        args.push(Expr::new(ExprKind::ReadStr { addr, len: None, space }, Type::Str(size), strings.span));
    }
    Ok(Outcome::Effect(vec![set, StmtKind::Emit { action: Action::Join(separator), args }]))
}

fn exit(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let code = match call.args {
        [] => checker.number(0, call.span),
        [code, ..] => checker.number_arg(code)?,
    };
    if code.literal().is_some_and(|c| c > 255) {
        let span = call.args.first().map_or(call.span, |a| a.span);
        checker.warn(Problem::warning(span, "an exit status has 8 bits: 0 to 255"));
    }
    let code = checker.cast_to(code, &Type::I64);
    // The rest of the block is not run.
    Ok(Outcome::Effect(vec![StmtKind::Emit { action: Action::Exit, args: vec![code] }, StmtKind::Return]))
}
