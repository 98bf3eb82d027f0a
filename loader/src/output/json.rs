//! Values and maps as JSON, with bpftrace's shapes and spacing.
//!
//! Where bpftrace's own output is damaged the repaired form stands here: spaces inside keys are kept, bytes that are not
//! UTF-8 become U+FFFD (JSON has no bytes), and the bytes of a buffer are 0 to 255.

use super::{Context, hist, text, tseries};
use crate::maps::{Entry, MapResult, Mean};
use crate::number::Int;
use crate::value::Value;
use serde_json::{Map, Number, Value as Json, ser::Formatter};
use std::io::{self, Write};

/// An integer as a number when a double can hold it, else as a string: most readers of JSON know doubles only.
#[must_use]
pub fn integer(n: i128) -> Json {
    let exact = (n as f64) as i128 == n;
    match (i64::try_from(n), u64::try_from(n)) {
        (Ok(n), _) if exact => Json::Number(n.into()),
        (_, Ok(n)) if exact => Json::Number(n.into()),
        _ => Json::String(n.to_string()),
    }
}

/// A value as `print()` gives it.
#[must_use]
pub fn value(v: &Value, cx: &Context) -> Json {
    match v {
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n) | Value::Enum { value: n, .. } => integer(n.value()),
        Value::Pointer(address) => integer((*address).into()),
        Value::Buffer(bytes) => bytes.iter().map(|b| Json::Number(Number::from(*b))).collect(),
        Value::Array(of) | Value::Tuple(of) => of.iter().map(|v| value(v, cx)).collect(),
        Value::Struct(members) => {
            Json::Object(members.iter().map(|(name, v)| (name.to_string(), value(v, cx))).collect())
        }
        Value::GoMap { entries, more } => {
            let members = entries.iter().map(|(key, element)| (text_of(key, cx), value(element, cx)));
            let more = more.then(|| ("...".to_owned(), Json::Null));
            Json::Object(members.chain(more).collect())
        }
        Value::Nil => Json::Null,
        Value::Float(f) => match Number::from_f64(f.value()) {
            // A float32 with no more digits than it has.
            Some(_) => {
                text_of(v, cx).parse().map_or_else(|_| string(text_of(v, cx).as_bytes()), Json::Number)
            }
            None => string(text_of(v, cx).as_bytes()),
        },
        Value::Container { len, capacity } => {
            let mut members = vec![("len".to_owned(), integer((*len).into()))];
            members.extend(capacity.map(|cap| ("cap".to_owned(), integer(cap.into()))));
            Json::Object(members.into_iter().collect())
        }
        Value::DynamicInt64 { ty, number } => value(&text::dynamic_int64(*ty, *number, cx), cx),
        Value::Text(_)
        | Value::Complex(..)
        | Value::Duration(_)
        | Value::Time { .. }
        | Value::Omitted
        | Value::Unreadable
        | Value::Dynamic { .. }
        | Value::GoType(_)
        | Value::GoError(_)
        | Value::Stack(_)
        | Value::KernelSymbol(_)
        | Value::UserSymbol { .. }
        | Value::GoFunction { .. }
        | Value::Name(_)
        | Value::Named { .. }
        | Value::Address(_)
        | Value::Hardware(_)
        | Value::Timestamp { .. } => {
            let mut shown = Vec::new();
            text::value(&mut shown, v, cx);
            string(&shown)
        }
    }
}

fn text_of(v: &Value, cx: &Context) -> String {
    let mut shown = Vec::new();
    text::value(&mut shown, v, cx);
    String::from_utf8_lossy(&shown).into_owned()
}

/// Bytes as a string.
#[must_use]
pub fn string(bytes: &[u8]) -> Json {
    Json::String(String::from_utf8_lossy(bytes).into_owned())
}

/// The name of an entry in the object that stands for a map: its key as text, the members of tuples with commas alone
/// between them.
#[must_use]
pub fn key(k: &Value, cx: &Context) -> String {
    let mut shown = Vec::new();
    match k {
        Value::Tuple(members) => compact_members(&mut shown, members, cx),
        other => compact(&mut shown, other, cx),
    }
    String::from_utf8_lossy(&shown).into_owned()
}

fn compact(out: &mut Vec<u8>, v: &Value, cx: &Context) {
    match v {
        Value::Tuple(members) => {
            out.push(b'(');
            compact_members(out, members, cx);
            out.push(b')');
        }
        other => text::value(out, other, cx),
    }
}

fn compact_members(out: &mut Vec<u8>, members: &[Value], cx: &Context) {
    for (i, member) in members.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        compact(out, member, cx);
    }
}

/// What stands in a map under a key.
#[must_use]
pub fn result(r: &MapResult, div: u32, cx: &Context) -> Json {
    let divided = |n: Int| integer(n.divided(div).value());
    match r {
        MapResult::Value(Value::Int(n)) | MapResult::Number(n) => divided(*n),
        MapResult::Nothing => divided(Int::of_64(0, false)),
        MapResult::Value(v) => value(v, cx),
        MapResult::Average(mean) => divided(mean.average()),
        MapResult::Stats(Mean { count, total }) => object([
            ("count", integer((*count).into())),
            ("average", divided(Mean { count: *count, total: *total }.average())),
            ("total", integer(total.value())),
        ]),
        MapResult::Hist { .. } | MapResult::Lhist { .. } => {
            text::buckets(r).iter().map(|b| bucket(b, div)).collect()
        }
        MapResult::Tseries(series) => {
            let point = |(number, value): &(u64, Int)| {
                let start = tseries::date(series, *number);
                object([("interval_start", start.into()), ("value", integer(value.value()))])
            };
            series.points.iter().map(point).collect()
        }
    }
}

/// A bucket: `min` and `max` belong to it; an open end has no bound.
fn bucket(b: &hist::Bucket, div: u32) -> Json {
    let mut members = Map::new();
    if let Some(low) = b.low {
        members.insert("min".into(), integer(low));
    }
    if let Some(high) = b.high {
        members.insert("max".into(), integer(high - 1));
    }
    members.insert("count".into(), integer((b.count / u64::from(div.max(1))).into()));
    Json::Object(members)
}

/// The line for a map; `None` for an empty one, about which nothing is printed.
#[must_use]
pub fn map(name: &str, entries: &[Entry], div: u32, cx: &Context) -> Option<Json> {
    let kind = match entries.first()?.result {
        MapResult::Hist { .. } | MapResult::Lhist { .. } => "hist",
        MapResult::Tseries(_) => "tseries",
        MapResult::Average(_) | MapResult::Stats(_) => "stats",
        MapResult::Value(_) | MapResult::Number(_) | MapResult::Nothing => "map",
    };
    let scalar = entries.iter().find(|e| e.key.is_none());
    let content = match scalar {
        Some(entry) => result(&entry.result, div, cx),
        None => Json::Object(members(entries, div, cx)),
    };
    Some(line(kind, object([(name, content)])))
}

/// The entries of a map with keys. Different keys can look the same (addresses in one function, the same stack in two
/// processes), but an object with equal names loses all but one in most readers: the second `f` becomes `f (2)`.
fn members(entries: &[Entry], div: u32, cx: &Context) -> Map<String, Json> {
    let mut members = Map::new();
    for entry in entries {
        let Some(k) = &entry.key else { continue };
        let name = key(k, cx);
        let numbered = (2..).map(|n| format!("{name} ({n})"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !members.contains_key(name));
        members.insert(free.unwrap_or(name), result(&entry.result, div, cx));
    }
    members
}

/// `{"type": kind, "data": data}`
#[must_use]
pub fn line(kind: &str, data: Json) -> Json {
    object([("type", kind.into()), ("data", data)])
}

/// An object with members in that order.
#[must_use]
pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(name, v)| (name.to_owned(), v)).collect())
}

/// Appends an object and a newline.
pub fn write_line(out: &mut Vec<u8>, json: &Json) {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Spacing);
    // Writing to a vector cannot fail, and neither can the serialization of a `serde_json::Value`.
    let _ = serde::Serialize::serialize(json, &mut serializer);
    out.push(b'\n');
}

/// Spaces after colons and between members, none between elements of an array.
struct Spacing;

impl Formatter for Spacing {
    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text::tests::{context, entry, int, str, user_stack};
    use crate::value::{Mode, Text};
    use codegen::layout;

    fn bytes(json: &Json) -> String {
        let mut out = Vec::new();
        write_line(&mut out, json);
        let text = String::from_utf8(out).unwrap();
        text.strip_suffix('\n').unwrap().to_owned()
    }

    fn shown(v: &Value) -> String {
        bytes(&value(v, &context()))
    }

    fn shown_map(name: &str, entries: &[Entry], div: u32) -> String {
        map(name, entries, div, &context()).map_or_else(String::new, |json| bytes(&json))
    }

    /// The lines that bpftrace 0.27.1 prints for the same values, but for its `-1` for a byte of 255.
    #[test]
    fn values() {
        assert_eq!(shown(&int(-5)), "-5");
        assert_eq!(shown(&Value::Bool(true)), "true");
        assert_eq!(shown(&str("str")), r#""str""#);
        assert_eq!(shown(&Value::Buffer(b"a\0b\xff ".to_vec())), "[97,0,98,255,32]");
        assert_eq!(shown(&Value::Pointer(0xffff_1234_5678)), "281470987163256");
        let members = vec![("a".into(), int(1)), ("b".into(), str("q"))];
        assert_eq!(shown(&Value::Struct(members)), r#"{"a": 1, "b": "q"}"#);
        let tuple = Value::Tuple(vec![int(1), Value::Tuple(vec![int(2), str("x")]), Value::Bool(true)]);
        assert_eq!(shown(&tuple), r#"[1,[2,"x"],true]"#);
        let stack = user_stack(&[0x1000], Mode::Symbols);
        assert_eq!(shown(&Value::Tuple(vec![int(1), stack])), r#"[1,"\n        main.f+12\n"]"#);
    }

    #[test]
    fn integers_that_doubles_cannot_hold_are_strings() {
        assert_eq!(shown(&int(9_007_199_254_740_992)), "9007199254740992");
        assert_eq!(shown(&int(9_007_199_254_740_993)), r#""9007199254740993""#);
        assert_eq!(shown(&int(1 << 62)), "4611686018427387904");
        assert_eq!(shown(&int(i64::MAX)), r#""9223372036854775807""#);
        assert_eq!(shown(&int(i64::MIN)), "-9223372036854775808");
        assert_eq!(shown(&Value::Int(Int::of_64(1 << 63, false))), "9223372036854775808");
        assert_eq!(shown(&Value::Int(Int::of_64(u64::MAX, false))), r#""18446744073709551615""#);
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(shown(&str("a\tb\"c\\d\n\u{1}é/")), r#""a\tb\"c\\d\n\u0001é/""#);
        let text = Text { bytes: b"x\xff\xc3".to_vec(), cut: true };
        assert_eq!(shown(&Value::Text(text)), "\"x\u{fffd}\u{fffd}..\"");
    }

    #[test]
    fn maps() {
        let value = |n| MapResult::Value(int(n));
        assert_eq!(shown_map("@x", &[entry(None, value(3))], 1), r#"{"type": "map", "data": {"@x": 3}}"#);
        assert_eq!(shown_map("@x", &[], 1), "");
        let tuple = |of: &[Value]| Some(Value::Tuple(of.to_vec()));
        let entries = [
            entry(tuple(&[int(1), str("b c")]), value(3)),
            entry(tuple(&[int(1), Value::Tuple(vec![int(2), int(3)])]), value(4)),
        ];
        let want = r#"{"type": "map", "data": {"@w": {"1,b c": 3, "1,(2,3)": 4}}}"#;
        assert_eq!(shown_map("@w", &entries, 1), want);
        let entries = [entry(Some(user_stack(&[0x1000, 0x55cc], Mode::Symbols)), value(1))];
        let want = r#"{"type": "map", "data": {"@u": {"\n        main.f+12\n        0x55cc\n": 1}}}"#;
        assert_eq!(shown_map("@u", &entries, 1), want);
    }

    #[test]
    fn keys_that_look_the_same_stay_apart() {
        let symbol = |address| Some(Value::UserSymbol { address, pid: 1 });
        let value = |n| MapResult::Value(int(n));
        let entries = [
            entry(symbol(0x1000), value(1)),
            entry(symbol(0x1000), value(2)),
            entry(symbol(0x1000), value(3)),
        ];
        let want = r#"{"type": "map", "data": {"@f": {"main.f": 1, "main.f (2)": 2, "main.f (3)": 3}}}"#;
        assert_eq!(shown_map("@f", &entries, 1), want);
    }

    #[test]
    fn aggregations() {
        let mean = Mean { count: 2, total: Int::of_64((-5i64).cast_unsigned(), true) };
        let want = r#"{"type": "stats", "data": {"@s": {"b": {"count": 2, "average": -2, "total": -5}}}}"#;
        assert_eq!(shown_map("@s", &[entry(Some(str("b")), MapResult::Stats(mean))], 1), want);
        let want = r#"{"type": "stats", "data": {"@a": -2}}"#;
        assert_eq!(shown_map("@a", &[entry(None, MapResult::Average(mean))], 1), want);
        let number = MapResult::Number(Int::of_64(9, true));
        assert_eq!(shown_map("@c", &[entry(None, number)], 2), r#"{"type": "map", "data": {"@c": 4}}"#);
    }

    #[test]
    fn histograms() {
        let mut counts = vec![0; layout::hist_buckets(0) as usize];
        [-1, 0, 5].iter().for_each(|v| counts[layout::hist_bucket(*v, 0) as usize] += 1);
        let hist = MapResult::Hist { bits: 0, counts };
        let want = concat!(
            r#"{"type": "hist", "data": {"@h": {"3": [{"max": -1, "count": 1},{"min": 0, "max": 0, "count": 1},"#,
            r#"{"min": 1, "max": 1, "count": 0},{"min": 2, "max": 3, "count": 0},"#,
            r#"{"min": 4, "max": 7, "count": 1}]}}}"#
        );
        assert_eq!(shown_map("@h", &[entry(Some(int(3)), hist)], 1), want);
        let lhist = MapResult::Lhist { min: 0, max: 20, step: 10, counts: vec![0, 0, 1, 2] };
        let want = r#"{"type": "hist", "data": {"@l": [{"min": 10, "max": 19, "count": 1},{"min": 20, "count": 2}]}}"#;
        assert_eq!(shown_map("@l", &[entry(None, lhist)], 1), want);
        let empty = MapResult::Hist { bits: 0, counts: Vec::new() };
        assert_eq!(shown_map("@h", &[entry(None, empty)], 1), r#"{"type": "hist", "data": {"@h": []}}"#);
    }
}
