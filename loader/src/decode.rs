//! Values out of the bytes of a ring-buffer record, a map key or a map value.
//!
//! [`Decoder`] follows the layout that [`lang::types::Type`] defines and never reads outside the bytes it is given. It
//! resolves what only needs the program (`func`, `probe`).

use crate::number::{Float, Int};
use crate::value::{GoTypeAddress, Mode, Side, Stack, Text, Value};
use lang::hir::{NO_FUNCTION, Probe, Program};
use lang::types::{BitRange, FieldForm, StackKind, StackMode, Struct, Type};
use std::net::IpAddr;
use std::sync::Arc;
use thiserror::Error;

/// Bytes that are not what their type says.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("a {ty} needs {need} bytes, only {have} are there")]
    Short {
        /// Name of the type.
        ty: String,
        /// Its size.
        need: usize,
        /// What was left.
        have: usize,
    },
    /// A type that has no values.
    #[error("a value of type {0} cannot be shown")]
    NoValue(String),
}

/// Turns bytes into [`Value`]s for one program.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    functions: Vec<FunctionNames>,
    probes: Vec<ProbeNames>,
    max_strlen: u32,
}

/// What a function is called by `func` and by `probe`.
#[derive(Clone, Debug)]
struct FunctionNames {
    name: Arc<str>,
    with_binary: String,
}

/// The names that a probe's `probe` can have.
#[derive(Clone, Debug)]
struct ProbeNames {
    written: Arc<str>,
    /// See [`Attach::named_by_function`].
    family: Option<&'static str>,
}

impl ProbeNames {
    fn of(probe: &Probe) -> ProbeNames {
        ProbeNames { written: probe.name.as_str().into(), family: probe.attach.named_by_function() }
    }
}

impl Decoder {
    /// A decoder for the values that `program` sends and keeps.
    #[must_use]
    pub fn new(program: &Program) -> Decoder {
        let functions = program
            .functions
            .iter()
            .map(|f| FunctionNames { name: f.name.as_str().into(), with_binary: f.path() });
        Decoder {
            functions: functions.collect(),
            probes: program.probes.iter().map(ProbeNames::of).collect(),
            max_strlen: program.config.max_strlen,
        }
    }

    /// Decodes the value of type `ty` at the start of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError::Short`] when `bytes` is shorter than the type, [`DecodeError::NoValue`] for `void`.
    pub fn value(&self, ty: &Type, bytes: &[u8]) -> Result<Value, DecodeError> {
        let size = ty.size() as usize;
        let bytes = bytes.get(..size).ok_or_else(|| DecodeError::Short {
            ty: ty.to_string(),
            need: size,
            have: bytes.len(),
        })?;
        Ok(match ty {
            Type::Void | Type::Go(_) => return Err(DecodeError::NoValue(ty.to_string())),
            Type::Bool => Value::Bool(number(bytes) != 0),
            Type::Int { bits, signed } => Value::Int(integer(bytes, *bits, *signed)),
            Type::Enum(e) => {
                let value = integer(bytes, e.bits, e.signed);
                let name = e.variant(value.value() as i64).map(Arc::from);
                Value::Enum { name, value }
            }
            Type::Str(capacity) => Value::Text(self.text(bytes, *capacity)),
            Type::Buf(capacity) => {
                let len = number(take(bytes, 0, 4)).min(u64::from(*capacity)) as usize;
                Value::Buffer(take(bytes, 4, len).to_vec())
            }
            Type::Ptr { .. } => Value::Pointer(number(bytes)),
            Type::Array(of, n) => self.array(of, *n, bytes)?,
            Type::Struct(def) => self.structure(def, bytes)?,
            Type::Tuple(of) => {
                let members = ty.member_offsets().into_iter().zip(of);
                let members = members.map(|(at, t)| self.value(t, bytes.get(at as usize..).unwrap_or(&[])));
                Value::Tuple(members.collect::<Result<_, _>>()?)
            }
            Type::Record(of) => {
                let members = ty.member_offsets().into_iter().zip(of).map(|(at, (name, t))| {
                    let value = self.value(t, bytes.get(at as usize..).unwrap_or(&[]))?;
                    Ok((name.clone(), value))
                });
                Value::Struct(members.collect::<Result<_, _>>()?)
            }
            Type::Stack { kind, mode, limit } => Value::Stack(stack(bytes, *kind, *mode, *limit)),
            Type::KSym => Value::KernelSymbol(number(bytes)),
            Type::USym => Value::UserSymbol {
                address: number(take(bytes, 0, 8)),
                pid: number(take(bytes, 8, 8)) as u32,
            },
            Type::GoFunc => Value::GoFunction {
                address: number(take(bytes, 0, 8)),
                pid: number(take(bytes, 8, 8)) as u32,
            },
            Type::FuncName => Value::Name(self.function(number(bytes))),
            Type::ProbeName => Value::Name(self.probe(number(bytes))),
            Type::Named(of) => Value::Named { id: number(bytes), of: of.clone() },
            Type::Inet => Value::Address(address(bytes)),
            Type::Mac => {
                let mut mac = [0; 6];
                mac.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                Value::Hardware(mac)
            }
            Type::Float(bits) => Value::Float(Float::from_bits(number(bytes), *bits)),
            Type::Duration => Value::Duration(number(bytes).cast_signed()),
            Type::Time => time(number(bytes).cast_signed()),
            Type::GoTypeName => Value::GoType(GoTypeAddress {
                address: number(take(bytes, 0, 8)),
                pid: number(take(bytes, 8, 8)) as u32,
            }),
            Type::GoError => Value::GoError(crate::gocopy::errors(bytes)),
            Type::GoCopy(copy) => self.go_copy(copy, bytes)?,
            Type::Timestamp(format) => Value::Timestamp { nanos: number(bytes), format: format.clone() },
        })
    }

    /// A string counts as cut only where the script could not have had more of it: strings are as large as `max_strlen`
    /// unless the script or the program's types say how long they are.
    fn text(&self, bytes: &[u8], capacity: u32) -> Text {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        let full = end + 1 >= capacity as usize;
        Text { bytes: take(bytes, 0, end).to_vec(), cut: full && capacity >= self.max_strlen }
    }

    fn array(&self, of: &Type, n: u32, bytes: &[u8]) -> Result<Value, DecodeError> {
        let size = of.size() as usize;
        let elements = (0..n as usize).map(|i| self.value(of, bytes.get(i * size..).unwrap_or(&[])));
        Ok(Value::Array(elements.collect::<Result<_, _>>()?))
    }

    fn structure(&self, def: &Struct, bytes: &[u8]) -> Result<Value, DecodeError> {
        let members = def.fields.iter().map(|field| {
            let bytes = bytes.get(field.offset as usize..).unwrap_or(&[]);
            let value = match field.form {
                FieldForm::Plain => self.member(&field.ty, bytes)?,
                // The data of a `__data_loc` member is not part of the structure's bytes; its locator is all there is.
                FieldForm::DataLoc => self.value(&Type::U32, bytes)?,
                FieldForm::Bits(range) => self.bits(&field.ty, bytes, range)?,
            };
            Ok((Arc::from(field.name.as_str()), value))
        });
        Ok(Value::Struct(members.collect::<Result<_, _>>()?))
    }

    /// A member of a structure. There an array of `char` is text; by itself it is numbers (`(int8[4])x`).
    fn member(&self, ty: &Type, bytes: &[u8]) -> Result<Value, DecodeError> {
        match ty {
            Type::Array(of, n) if **of == Type::CHAR => {
                let bytes = take(bytes, 0, *n as usize);
                let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                Ok(Value::Text(Text { bytes: take(bytes, 0, end).to_vec(), cut: false }))
            }
            Type::Array(of, n) if matches!(**of, Type::Array(..)) => {
                let size = of.size() as usize;
                let elements =
                    (0..*n as usize).map(|i| self.member(of, bytes.get(i * size..).unwrap_or(&[])));
                Ok(Value::Array(elements.collect::<Result<_, _>>()?))
            }
            ty => self.value(ty, bytes),
        }
    }

    /// A bit-field, as the value of its type.
    fn bits(&self, ty: &Type, bytes: &[u8], range: BitRange) -> Result<Value, DecodeError> {
        let unused = 64 - u32::from(range.width.clamp(1, 64));
        let raw = number(bytes).wrapping_shr(range.shift.into()) << unused;
        let value =
            if ty.is_signed() { (raw.cast_signed() >> unused).cast_unsigned() } else { raw >> unused };
        self.value(ty, &value.to_le_bytes())
    }

    /// Name of the function with that index; the number itself when there is none.
    fn function(&self, index: u64) -> Arc<str> {
        match usize::try_from(index).ok().and_then(|i| self.functions.get(i)) {
            Some(function) => function.name.clone(),
            None if index == NO_FUNCTION => "0".into(),
            None => index.to_string().into(),
        }
    }

    /// Name of an attach point: as it is written, or with the function in place of a pattern.
    fn probe(&self, raw: u64) -> Arc<str> {
        let (probe, function) = ((raw >> 32) as usize, raw as u32 as usize);
        match (self.probes.get(probe), self.functions.get(function)) {
            (Some(ProbeNames { family: Some(family), .. }), Some(function)) => {
                format!("{family}:{}", function.with_binary).into()
            }
            (Some(probe), _) => probe.written.clone(),
            (None, _) => raw.to_string().into(),
        }
    }
}

/// `len` bytes from `at`, as many of them as there are.
pub(crate) fn take(bytes: &[u8], at: usize, len: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or(&[]);
    rest.get(..len).unwrap_or(rest)
}

/// The bytes as a little-endian number; those after the eighth do not count. (All targets are little-endian.)
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

fn integer(bytes: &[u8], bits: u8, signed: bool) -> Int {
    let raw = number(bytes);
    if signed {
        let unused = 64 - u32::from(bits.clamp(1, 64));
        Int::Signed { value: (raw << unused).cast_signed() >> unused, bits }
    } else {
        Int::Unsigned { value: raw, bits }
    }
}

/// See [`Type::Inet`] for the layout.
fn address(bytes: &[u8]) -> IpAddr {
    let mut octets = [0; 16];
    octets.iter_mut().zip(take(bytes, 8, 16)).for_each(|(to, from)| *to = *from);
    let [a, b, c, d, ..] = octets;
    if number(take(bytes, 0, 8)) == 2 { IpAddr::from([a, b, c, d]) } else { IpAddr::from(octets) }
}

/// A time from its nanoseconds since 1970. Those that stand for all that is further away become the time that is meant: in practice
/// the zero of `time.Time`, the year 1.
fn time(nanos: i64) -> Value {
    if nanos == lang::gocopy::time::BEFORE {
        return Value::Time { seconds: -lang::gocopy::time::UNIX_EPOCH, nanos: 0 };
    }
    let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    Value::Time { seconds, nanos: nanos as u32 }
}

/// See [`Type::stack_size`] for the layout.
fn stack(bytes: &[u8], kind: StackKind, mode: StackMode, limit: u16) -> Stack {
    let header = number(take(bytes, 0, 4)) as u32;
    let count = (header >> Type::STACK_FRAMES_SHIFT).min(u32::from(limit)) as usize;
    let frames: Vec<u64> = take(bytes, 8, 8 * count).chunks_exact(8).map(number).collect();
    let distance = (number(take(bytes, 4, 4)) as u32).cast_signed();
    Stack {
        top: frames.first().filter(|_| distance != 0).map(|first| first.wrapping_add_signed(distance.into())),
        limit: limit.into(),
        pid: header & ((1 << Type::STACK_FRAMES_SHIFT) - 1),
        frames,
        kind: match kind {
            StackKind::User => Side::User,
            StackKind::Kernel => Side::Kernel,
        },
        mode: match mode {
            StackMode::Bpftrace => Mode::Symbols,
            StackMode::Perf => Mode::Perf,
            StackMode::Raw => Mode::Raw,
            StackMode::Folded => Mode::Folded,
            StackMode::BuildId => Mode::BuildId,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lang::env::{Abi, Stop, UprobeClass};
    use lang::hir::{Attach, Function};
    use lang::types::{AddrSpace, Enum, Field, StructKind};

    fn decoder() -> Decoder {
        let mut program = Program::default();
        program.config.max_strlen = 16;
        program.functions =
            vec![Function { binary: "./web".into(), name: "main.(*T).f[go.shape.int]".into() }];
        let probe = |name: &str, attach| Probe {
            attach,
            name: name.into(),
            span: Default::default(),
            predicate: None,
            body: Vec::new(),
            vars: Vec::new(),
        };
        let class = UprobeClass {
            abi: Abi::C,
            stop: Stop::Entry,
            goroutine: None,
            signature: lang::env::SignatureOf::NotAsked,
            result_offset: None,
            words: lang::env::ArgumentWords::InOrder,
            usdt: None,
            own_return: None,
        };
        program.probes = vec![
            probe("BEGIN", Attach::Begin),
            probe("uprobe:./web:main.*", Attach::Uprobe { class, ret: false, targets: Vec::new() }),
        ];
        Decoder::new(&program)
    }

    fn int(value: i64, bits: u8) -> Value {
        Value::Int(Int::Signed { value, bits })
    }

    #[test]
    fn integers_keep_width_and_sign() {
        let d = decoder();
        assert_eq!(d.value(&Type::I32, &[0xfe, 0xff, 0xff, 0xff, 9]), Ok(int(-2, 32)));
        let u8_ = Type::Int { bits: 8, signed: false };
        assert_eq!(d.value(&u8_, &[0xfe]), Ok(Value::Int(Int::Unsigned { value: 254, bits: 8 })));
        assert_eq!(d.value(&Type::U64, &[0xff; 8]), Ok(Value::Int(Int::of_64(u64::MAX, false))));
        assert_eq!(d.value(&Type::Bool, &[1]), Ok(Value::Bool(true)));
    }

    #[test]
    fn too_few_bytes_are_an_error() {
        let error = decoder().value(&Type::I64, &[0; 7]).unwrap_err();
        assert_eq!(error.to_string(), "a int64 needs 8 bytes, only 7 are there");
        assert!(decoder().value(&Type::Void, &[]).is_err());
    }

    #[test]
    fn a_string_that_fills_its_place_was_cut() {
        let d = decoder();
        let text = |ty: u32, bytes: &[u8]| match d.value(&Type::Str(ty), bytes) {
            Ok(Value::Text(t)) => (String::from_utf8(t.bytes).unwrap(), t.cut),
            other => panic!("{other:?}"),
        };
        assert_eq!(text(16, b"0123456789abcde\0"), ("0123456789abcde".into(), true));
        assert_eq!(text(16, b"0123456789abcd\0x"), ("0123456789abcd".into(), false));
        // A literal of seven bytes is whole.
        assert_eq!(text(8, b"seven77\0"), ("seven77".into(), false));
    }

    #[test]
    fn composed_values() {
        let d = decoder();
        let byte = Type::Int { bits: 8, signed: true };
        let tuple = Type::Tuple(vec![byte.clone(), Type::I64]);
        let bytes = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(d.value(&tuple, &bytes), Ok(Value::Tuple(vec![int(1, 8), int(2, 64)])));
        let array = Type::Array(Box::new(byte), 3);
        assert_eq!(d.value(&array, &[1, 255, 3]), Ok(Value::Array(vec![int(1, 8), int(-1, 8), int(3, 8)])));
        let field = |name: &str, offset, ty| Field::new(name, offset, ty);
        let ptr = Type::Ptr { to: Box::new(Type::Void), space: AddrSpace::User };
        let fields = vec![field("a", 0, Type::I32), field("p", 8, ptr)];
        let def = Struct { size: 16, align: 8, fields, ..Struct::named(StructKind::Struct, "S") };
        assert_eq!(
            d.value(&Type::Struct(def.into()), &bytes),
            Ok(Value::Struct(vec![("a".into(), int(1, 32)), ("p".into(), Value::Pointer(2))]))
        );
    }

    #[test]
    fn members_that_are_not_plain() {
        let d = decoder();
        let kind = Enum {
            name: "kind".into(),
            bits: 32,
            signed: true,
            variants: vec![("LOW".into(), -1), ("HIGH".into(), 2)],
        };
        let kind = Type::Enum(kind.into());
        let bits = |name: &str, shift, width, ty| Field {
            form: FieldForm::Bits(BitRange { shift, width }),
            ..Field::new(name, 0, ty)
        };
        let fields = vec![
            bits("low", 0, 3, Type::U32),
            bits("signed", 3, 5, Type::I32),
            bits("kind", 8, 2, kind.clone()),
            Field::new("text", 2, Type::Array(Box::new(Type::CHAR), 4)),
        ];
        let def = Struct { size: 8, align: 4, fields, ..Struct::named(StructKind::Struct, "S") };
        let bytes = [0b1111_0101, 0b11, b'a', b'b', 0, b'c', 0, 0];
        let named = |name: Option<&str>, value| Value::Enum {
            name: name.map(Arc::from),
            value: Int::Signed { value, bits: 32 },
        };
        let text = Value::Text(Text { bytes: b"ab".to_vec(), cut: false });
        assert_eq!(
            d.value(&Type::Struct(def.into()), &bytes),
            Ok(Value::Struct(vec![
                ("low".into(), Value::Int(Int::Unsigned { value: 5, bits: 32 })),
                ("signed".into(), int(-2, 32)),
                ("kind".into(), named(Some("LOW"), -1)),
                ("text".into(), text),
            ]))
        );
        assert_eq!(d.value(&kind, &[2, 0, 0, 0]), Ok(named(Some("HIGH"), 2)));
        assert_eq!(d.value(&kind, &[7, 0, 0, 0]), Ok(named(None, 7)));
        let record = Type::Record(vec![("x".into(), Type::I32), ("y".into(), Type::I64)]);
        let bytes = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        let members = vec![("x".into(), int(1, 32)), ("y".into(), int(2, 64))];
        assert_eq!(d.value(&record, &bytes), Ok(Value::Struct(members)));
    }

    #[test]
    fn lengths_in_the_data_are_not_trusted() {
        let d = decoder();
        let buffer = [0xff, 0xff, 0xff, 0xff, b'a', b'b', b'c', b'd'];
        assert_eq!(d.value(&Type::Buf(4), &buffer), Ok(Value::Buffer(b"abcd".to_vec())));
        let ty = Type::Stack { kind: StackKind::User, mode: StackMode::Bpftrace, limit: 2 };
        let mut bytes = vec![7, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff];
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        let Ok(Value::Stack(stack)) = d.value(&ty, &bytes) else { panic!("no stack") };
        assert_eq!((stack.pid, stack.frames, stack.top), (7, vec![1, 2], Some(0)));
    }

    #[test]
    fn names_of_functions_and_probes() {
        let d = decoder();
        let name = |ty: Type, raw: u64| match d.value(&ty, &raw.to_le_bytes()) {
            Ok(Value::Name(name)) => name.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name(Type::FuncName, 0), "main.(*T).f[go.shape.int]");
        assert_eq!(name(Type::FuncName, 5), "5");
        assert_eq!(name(Type::ProbeName, u64::from(u32::MAX)), "BEGIN");
        assert_eq!(name(Type::ProbeName, 1 << 32), "uprobe:./web:main.(*T).f[go.shape.int]");
        assert_eq!(name(Type::ProbeName, 1 << 32 | u64::from(u32::MAX)), "uprobe:./web:main.*");
    }
}
