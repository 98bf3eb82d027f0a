//! Values and maps as text, in bpftrace's layout.

use super::{Context, goerror, goform, hist, names, strftime, tseries};
use crate::maps::{Entry, MapResult};
use crate::number::Int;
use crate::symbolize::Frame;
use crate::value::{GoTypeAddress, Mode, Side, Stack, Text, Value};
use std::io::Write as _;

/// Appends a value as `print()` and `%s` show it.
pub fn value(out: &mut Vec<u8>, value: &Value, cx: &Context) {
    match value {
        Value::Bool(b) => push(out, if *b { "true" } else { "false" }),
        Value::Int(n) => integer(out, *n),
        Value::Enum { name: Some(name), .. } => push(out, name),
        Value::Enum { name: None, value } => integer(out, *value),
        Value::Text(t) => text(out, t, cx),
        Value::Buffer(bytes) => escaped(out, bytes),
        Value::Pointer(address) => push(out, &format!("{address:#x}")),
        Value::Array(of) => list(out, of, ("[", ",", "]"), cx),
        Value::Tuple(of) => list(out, of, ("(", ", ", ")"), cx),
        Value::Struct(members) => {
            for (i, (name, member)) in members.iter().enumerate() {
                push(out, if i == 0 { "{ ." } else { ", ." });
                push(out, name);
                push(out, " = ");
                self::value(out, member, cx);
            }
            push(out, if members.is_empty() { "{ }" } else { " }" });
        }
        Value::Stack(s) => stack(out, s, cx),
        Value::KernelSymbol(address) => symbol(out, Side::Kernel, 0, *address, cx),
        Value::UserSymbol { address, pid } => symbol(out, Side::User, *pid, *address, cx),
        Value::GoFunction { address, pid } => match cx.symbols.go_function(*pid, *address) {
            Some(name) => push(out, &name),
            None => push(out, &nameless(*address)),
        },
        Value::Name(name) => push(out, name),
        Value::Named { id, of } => push(out, &names::of(*id, of)),
        Value::Address(address) => push(out, &address.to_string()),
        Value::Hardware([a, b, c, d, e, f]) => {
            push(out, &format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}"));
        }
        Value::Float(f) => push(out, &goform::float(*f)),
        Value::Complex(real, imaginary) => push(out, &goform::complex(*real, *imaginary)),
        Value::Duration(nanos) => push(out, &goform::duration(*nanos)),
        Value::Time { seconds, nanos } => push(out, &goform::time(*seconds, *nanos)),
        Value::Nil => push(out, "nil"),
        Value::Omitted => push(out, "..."),
        Value::Unreadable => push(out, "?"),
        Value::GoMap { entries, more } => go_map(out, entries, *more, cx),
        Value::Container { len, capacity: None } => push(out, &format!("map[len {len}]")),
        Value::Container { len, capacity: Some(cap) } => push(out, &format!("chan[len {len}, cap {cap}]")),
        Value::GoType(ty) => push(out, &go_type(*ty, cx)),
        Value::GoError(chain) => push(out, &goerror::message(chain, cx)),
        Value::Dynamic { ty, address } => {
            push(out, &go_type(*ty, cx));
            match address {
                Some(address) => push(out, &format!("({address:#x})")),
                None => push(out, "{...}"),
            }
        }
        Value::DynamicInt64 { ty, number } => self::value(out, &dynamic_int64(*ty, *number, cx), cx),
        Value::Timestamp { nanos, format } => {
            out.extend(strftime::format(format, cx.clock.unix_nanos(*nanos)));
        }
    }
}

/// Appends a map of a Go program.
fn go_map(out: &mut Vec<u8>, entries: &[(Value, Value)], more: bool, cx: &Context) {
    push(out, "map[");
    for (n, (key, element)) in entries.iter().enumerate() {
        if n > 0 {
            push(out, ",");
        }
        value(out, key, cx);
        push(out, ":");
        value(out, element, cx);
    }
    if more {
        push(out, ",...");
    }
    push(out, "]");
}

/// Appends the key of an entry as it stands between the brackets: the members of a tuple without its parentheses.
pub fn key(out: &mut Vec<u8>, key: &Value, cx: &Context) {
    match key {
        Value::Tuple(members) => list(out, members, ("", ", ", ""), cx),
        other => value(out, other, cx),
    }
}

/// Appends a printable byte as it is and others as `\x00`.
pub fn escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b' '..=b'~' => out.push(*byte),
            _ => push(out, &format!("\\x{byte:02x}")),
        }
    }
}

/// Appends what stands in a map under a key, histograms excepted: values are divided by `div` where that makes sense.
pub fn result(out: &mut Vec<u8>, result: &MapResult, div: u32, cx: &Context) {
    match result {
        MapResult::Value(Value::Int(n)) | MapResult::Number(n) => integer(out, n.divided(div)),
        MapResult::Nothing => out.push(b'0'),
        MapResult::Value(v) => value(out, v, cx),
        MapResult::Average(mean) => integer(out, mean.average().divided(div)),
        MapResult::Stats(mean) => {
            let (count, total, average) = (mean.count, mean.total, mean.average().divided(div));
            push(out, &format!("{{ .count = {count}, .average = "));
            integer(out, average);
            push(out, ", .total = ");
            integer(out, total);
            push(out, " }");
        }
        MapResult::Hist { .. } | MapResult::Lhist { .. } => hist::write_lines(out, &buckets(result), div),
        MapResult::Tseries(series) => tseries::write(out, series),
    }
}

/// Lines of a histogram; none for other results.
pub fn buckets(result: &MapResult) -> Vec<hist::Bucket> {
    match result {
        MapResult::Hist { bits, counts } => hist::log2_buckets(counts, *bits),
        MapResult::Lhist { min, max, step, counts } => hist::linear_buckets(counts, *min, *max, *step),
        _ => Vec::new(),
    }
}

/// Appends the entries of a map: `@name[key]: value` on a line each, histograms as a block with an empty line after it.
pub fn map(out: &mut Vec<u8>, name: &str, entries: &[Entry], div: u32, cx: &Context) {
    for entry in entries {
        push(out, name);
        if let Some(k) = &entry.key {
            push(out, "[");
            key(out, k, cx);
            push(out, "]");
        }
        let is_block =
            matches!(entry.result, MapResult::Hist { .. } | MapResult::Lhist { .. } | MapResult::Tseries(_));
        push(out, if is_block { ":\n" } else { ": " });
        result(out, &entry.result, div, cx);
        push(out, "\n");
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn integer(out: &mut Vec<u8>, n: Int) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{}", n.value());
}

/// Appends a string, with the trailer when it was cut.
pub fn text(out: &mut Vec<u8>, text: &Text, cx: &Context) {
    out.extend_from_slice(&text.bytes);
    if text.cut {
        push(out, &cx.trailer);
    }
}

fn list(out: &mut Vec<u8>, of: &[Value], (open, comma, close): (&str, &str, &str), cx: &Context) {
    push(out, open);
    for (i, v) in of.iter().enumerate() {
        if i > 0 {
            push(out, comma);
        }
        value(out, v, cx);
    }
    push(out, close);
}

/// The name of a Go type as `%T` prints it; its address where it is not known.
#[must_use]
pub fn go_type(ty: GoTypeAddress, cx: &Context) -> String {
    match ty.address {
        0 => "<nil>".into(),
        address => match cx.symbols.go_type(ty) {
            Some(name) => name.short.to_string(),
            None => format!("type {address:#x}"),
        },
    }
}

/// An `int64` of this type as what it is.
pub fn dynamic_int64(ty: GoTypeAddress, number: i64, cx: &Context) -> Value {
    match cx.symbols.go_type(ty) {
        Some(name) if &*name.full == "time.Duration" => Value::Duration(number),
        _ => Value::Int(Int::of_64(number.cast_unsigned(), true)),
    }
}

/// A symbol by itself is the name of the function; code inlined there does not count.
fn symbol(out: &mut Vec<u8>, side: Side, pid: u32, address: u64, cx: &Context) {
    let frames = cx.symbols.frames(side, pid, address, false);
    match frames.last().and_then(|f| f.function.as_deref()) {
        Some(name) => push(out, name),
        None => push(out, &nameless(address)),
    }
}

/// An address without a name.
fn nameless(address: u64) -> String {
    if address == 0 { "0".into() } else { format!("{address:#x}") }
}

/// A stack starts on a line of its own, so that the frames stand in one column whatever comes before them.
fn stack(out: &mut Vec<u8>, stack: &Stack, cx: &Context) {
    if stack.mode == Mode::Folded {
        return push(out, &folded(stack, cx));
    }
    push(out, "\n");
    for (depth, address) in frames(stack, cx).enumerate() {
        let in_file = match stack.mode {
            Mode::BuildId => cx.symbols.in_file(stack.pid, address),
            _ => None,
        };
        if let Some(place) = in_file {
            push(out, &format!("{} {:#x}\n", build_id(&place.build_id), place.offset));
            continue;
        }
        if matches!(stack.mode, Mode::Raw | Mode::BuildId) {
            push(out, &format!("{address:x}\n"));
            continue;
        }
        for frame in cx.symbols.frames(stack.kind, stack.pid, address, depth > 0).iter() {
            push(out, &frame_line(frame, address, stack.mode));
        }
    }
}

/// A build id as the kernel gives it: 20 bytes, shorter ones with zeros behind (`struct bpf_stack_build_id`).
fn build_id(id: &[u8]) -> String {
    const SIZE: usize = 20;
    id.iter().chain(&[0; SIZE]).take(SIZE).map(|byte| format!("{byte:02x}")).collect()
}

/// The addresses of a stack, with the direct caller where the walk has left it out.
fn frames<'a>(stack: &'a Stack, cx: &Context) -> impl Iterator<Item = u64> + 'a {
    let first = stack.frames.first().copied();
    let is_frame = |_: &u64| first.is_some_and(|first| cx.symbols.has_no_frame(stack.pid, first));
    let caller = stack.top.filter(is_frame);
    let rest = stack.frames.iter().skip(1).copied();
    first.into_iter().chain(caller).chain(rest).take(stack.limit)
}

/// The names of a stack on one line with `;` between, the outermost caller first.
fn folded(stack: &Stack, cx: &Context) -> String {
    let mut names = Vec::new();
    for (depth, address) in frames(stack, cx).enumerate() {
        let frames = cx.symbols.frames(stack.kind, stack.pid, address, depth > 0);
        names.extend(frames.iter().map(|f| f.function.clone().unwrap_or_else(|| nameless(address).into())));
    }
    names.reverse();
    names.join(";")
}

fn frame_line(frame: &Frame, address: u64, mode: Mode) -> String {
    let mut name = match &frame.function {
        Some(function) if frame.inlined => format!("[inlined] {function}"),
        Some(function) => format!("{function}+{}", frame.offset),
        None => nameless(address),
    };
    if let Some((file, line)) = &frame.source {
        name.push_str(&format!("@{file}:{line}"));
    }
    let module = frame.module.as_deref();
    match (mode, module) {
        (Mode::Perf, Some(module)) => format!("\t{address:x} {name} ({module})\n"),
        (Mode::Perf, None) if frame.function.is_none() => format!("\t{address:x} {name} ([unknown])\n"),
        (Mode::Perf, None) => format!("\t{address:x} {name}\n"),
        _ => format!("        {name}\n"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::maps::Mean;
    use crate::output::Context;
    use crate::symbolize::Resolve;
    use crate::sys::clock::WallClock;
    use std::rc::Rc;

    /// Knows one kernel function and one user function with something inlined.
    struct Table;

    impl Resolve for Table {
        fn frames(&self, side: Side, _: u32, address: u64, _: bool) -> Rc<[Frame]> {
            let frame =
                |name: &str, offset| Frame { function: Some(name.into()), offset, ..Frame::default() };
            let frames = match (side, address) {
                (Side::Kernel, 0xffff_ffff_8140_0005) => vec![frame("vfs_read", 5)],
                (Side::User, 0x1000) => {
                    vec![Frame { module: Some("/bin/web".into()), ..frame("main.f", 12) }]
                }
                (Side::User, 0x2000) => {
                    let source = |line| Some(("web.go".into(), line));
                    vec![
                        Frame { inlined: true, source: source(7), ..frame("main.clamp", 0) },
                        Frame { source: source(20), ..frame("main.(*T).g", 44) },
                    ]
                }
                _ => vec![Frame::default()],
            };
            frames.into()
        }
    }

    pub(crate) fn context() -> Context {
        Context { symbols: Rc::new(Table), trailer: "..".into(), clock: WallClock::booted_at(0) }
    }

    pub(crate) fn int(value: i64) -> Value {
        Value::Int(Int::of_64(value.cast_unsigned(), true))
    }

    pub(crate) fn str(text: &str) -> Value {
        Value::Text(Text { bytes: text.into(), cut: false })
    }

    pub(crate) fn user_stack(frames: &[u64], mode: Mode) -> Value {
        Value::Stack(Stack { frames: frames.into(), top: None, limit: 127, pid: 1, kind: Side::User, mode })
    }

    fn shown(v: &Value) -> String {
        let mut out = Vec::new();
        value(&mut out, v, &context());
        String::from_utf8(out).unwrap()
    }

    fn shown_map(name: &str, entries: &[Entry], div: u32) -> String {
        let mut out = Vec::new();
        map(&mut out, name, entries, div, &context());
        String::from_utf8(out).unwrap()
    }

    pub(crate) fn entry(key: Option<Value>, result: MapResult) -> Entry {
        Entry { key, result }
    }

    #[test]
    fn values() {
        assert_eq!(shown(&Value::Bool(true)), "true");
        assert_eq!(shown(&Value::Int(Int::of_64(u64::MAX, false))), "18446744073709551615");
        assert_eq!(shown(&Value::Pointer(0x1234)), "0x1234");
        assert_eq!(shown(&Value::Pointer(0)), "0x0");
        assert_eq!(shown(&Value::Buffer(b"a\0b\xff \"\\".to_vec())), r#"a\x00b\xff "\"#);
        assert_eq!(shown(&Value::Tuple(vec![int(1)])), "(1)");
        let tuple = Value::Tuple(vec![int(1), Value::Tuple(vec![int(2), str("x")]), Value::Bool(true)]);
        assert_eq!(shown(&tuple), "(1, (2, x), true)");
        assert_eq!(shown(&Value::Array(vec![int(1), int(2), int(3)])), "[1,2,3]");
        let members = vec![("a".into(), int(-1)), ("b".into(), str("abc")), ("p".into(), Value::Pointer(0))];
        assert_eq!(shown(&Value::Struct(members)), "{ .a = -1, .b = abc, .p = 0x0 }");
        assert_eq!(shown(&Value::Timestamp { nanos: 1_500_000_000, format: "%s %f".into() }), "1 500000");
    }

    #[test]
    fn a_cut_string_has_the_trailer() {
        let cut = Value::Text(Text { bytes: b"0123456789abcdef".to_vec(), cut: true });
        assert_eq!(shown(&cut), "0123456789abcdef..");
    }

    #[test]
    fn symbols() {
        assert_eq!(shown(&Value::KernelSymbol(0xffff_ffff_8140_0005)), "vfs_read");
        assert_eq!(shown(&Value::KernelSymbol(5)), "0x5");
        assert_eq!(shown(&Value::UserSymbol { address: 0x2000, pid: 1 }), "main.(*T).g");
        assert_eq!(shown(&Value::UserSymbol { address: 0x1234, pid: 1 }), "0x1234");
    }

    #[test]
    fn stacks() {
        let frames = [0x1000, 0x2000, 0x55cc];
        let want = "\n        main.f+12\n        [inlined] main.clamp@web.go:7\n        main.(*T).g+44@web.go:20\n        0x55cc\n";
        assert_eq!(shown(&user_stack(&frames, Mode::Symbols)), want);
        let want = "\n\t1000 main.f+12 (/bin/web)\n\t55cc 0x55cc ([unknown])\n";
        assert_eq!(shown(&user_stack(&[0x1000, 0x55cc], Mode::Perf)), want);
        assert_eq!(
            shown(&user_stack(&[0x2000, 0x1000, 0x55cc], Mode::Folded)),
            "0x55cc;main.f;main.(*T).g;main.clamp"
        );
        assert_eq!(shown(&user_stack(&frames, Mode::Raw)), "\n1000\n2000\n55cc\n");
        let kernel = Stack {
            frames: vec![0xffff_ffff_8140_0005],
            top: None,
            limit: 127,
            pid: 1,
            kind: Side::Kernel,
            mode: Mode::Perf,
        };
        assert_eq!(shown(&Value::Stack(kernel)), "\n\tffffffff81400005 vfs_read+5\n");
        assert_eq!(shown(&user_stack(&[], Mode::Symbols)), "\n");
    }

    #[test]
    fn maps() {
        let number = |n| MapResult::Value(int(n));
        assert_eq!(shown_map("@x", &[entry(None, number(3))], 0), "@x: 3\n");
        let entries = [
            entry(Some(Value::Tuple(vec![int(1), str("b c")])), number(3)),
            entry(Some(Value::Tuple(vec![int(1), Value::Tuple(vec![int(2), int(3)])])), number(4)),
        ];
        assert_eq!(shown_map("@w", &entries, 1), "@w[1, b c]: 3\n@w[1, (2, 3)]: 4\n");
        assert_eq!(shown_map("@e", &[], 1), "");
        let stack = user_stack(&[0x1000], Mode::Symbols);
        let entries = [entry(Some(Value::Tuple(vec![stack.clone(), str("sleep")])), MapResult::Value(stack))];
        let want = "@k[\n        main.f+12\n, sleep]: \n        main.f+12\n\n";
        assert_eq!(shown_map("@k", &entries, 1), want);
    }

    #[test]
    fn aggregations() {
        let mean = Mean { count: 2, total: Int::of_64((-5i64).cast_unsigned(), true) };
        let want = "@s[b]: { .count = 2, .average = -2, .total = -5 }\n";
        assert_eq!(shown_map("@s", &[entry(Some(str("b")), MapResult::Stats(mean))], 1), want);
        assert_eq!(shown_map("@a", &[entry(None, MapResult::Average(mean))], 1), "@a: -2\n");
        // A divisor divides the average only.
        let mean = Mean { count: 2, total: Int::of_64(12, true) };
        let want = "@s: { .count = 2, .average = 3, .total = 12 }\n";
        assert_eq!(shown_map("@s", &[entry(None, MapResult::Stats(mean))], 2), want);
        let none = Mean { count: 0, total: Int::of_64(0, true) };
        assert_eq!(shown_map("@a", &[entry(None, MapResult::Average(none))], 1), "@a: 0\n");
        let count = MapResult::Number(Int::of_64(9, false));
        assert_eq!(shown_map("@c", &[entry(None, count)], 2), "@c: 4\n");
    }

    #[test]
    fn histograms() {
        let mut counts = vec![0; codegen::layout::hist_buckets(0) as usize];
        counts[4] = 1;
        let full = MapResult::Hist { bits: 0, counts: counts.clone() };
        let bar = "@".repeat(52);
        let want = format!("@h[1]:\n[4, 8)                 1 |{bar}|\n\n");
        assert_eq!(shown_map("@h", &[entry(Some(int(1)), full)], 1), want);
        counts[4] = 0;
        assert_eq!(shown_map("@h", &[entry(None, MapResult::Hist { bits: 0, counts })], 1), "@h:\n\n");
    }
}
