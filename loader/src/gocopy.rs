//! Go values that were copied whole, decoded: see [`lang::gocopy`] for the layout of a copy.
//!
//! Part of the [`Decoder`]. Lengths and addresses in a copy come from the traced program and are not trusted; what they refer to is
//! read at the places that the layout gives, as far as the bytes reach.

use crate::decode::{DecodeError, Decoder, number, take};
use crate::number::{Float, Int};
use crate::value::{GoError, GoTypeAddress, Text, Value};
use lang::gocopy::{GoCopy, INTERFACE_SIZE, Kind, MapCopy, Node, NodeId, time};
use lang::goerror::{LEVEL_SIZE, LEVELS, ROOM, TEXT_SIZE, TEXTS};

/// Bits of the kind byte of a type that are the kind (`internal/abi.KindMask`).
const KIND_MASK: u64 = 31;

impl Decoder {
    /// A copied value.
    pub(crate) fn go_copy(&self, copy: &GoCopy, bytes: &[u8]) -> Result<Value, DecodeError> {
        Copy { decoder: self, copy, bytes }.value(0)
    }
}

/// A chain of errors: see [`lang::goerror`] for the layout.
pub(crate) fn errors(bytes: &[u8]) -> Vec<GoError> {
    let pid = number(take(bytes, 0, 8)) as u32;
    let level = |bytes: &[u8]| GoError {
        ty: GoTypeAddress { address: number(take(bytes, 0, 8)), pid },
        number: number(take(bytes, 8, 8)),
        texts: take(bytes, 16, (TEXTS * TEXT_SIZE) as usize)
            .chunks_exact(TEXT_SIZE as usize)
            .map(|text| {
                let len = number(take(text, 0, 8));
                let shown = len.min(ROOM.into()) as usize;
                Text { bytes: take(text, 8, shown).to_vec(), cut: len > ROOM.into() }
            })
            .collect(),
    };
    take(bytes, 8, (LEVELS * LEVEL_SIZE) as usize).chunks_exact(LEVEL_SIZE as usize).map(level).collect()
}

/// A copy and its bytes.
struct Copy<'a> {
    decoder: &'a Decoder,
    copy: &'a GoCopy,
    bytes: &'a [u8],
}

impl Copy<'_> {
    fn word(&self, at: u32) -> u64 {
        number(take(self.bytes, at as usize, 8))
    }

    fn value(&self, id: NodeId) -> Result<Value, DecodeError> {
        let Some(Node { at, kind }) = self.copy.nodes.get(id) else { return Ok(Value::Omitted) };
        let at = *at;
        Ok(match kind {
            Kind::Plain(ty) => {
                let bytes = take(self.bytes, at as usize, ty.size() as usize);
                match self.decoder.value(ty, bytes)? {
                    Value::Pointer(0) => Value::Nil,
                    value => value,
                }
            }
            Kind::Bits(ty, bits) => {
                let bytes = (u32::from(bits.shift) + u32::from(bits.width)).div_ceil(8).min(8);
                let word = number(take(self.bytes, at as usize, bytes as usize)) >> bits.shift;
                let unused = 64u32.saturating_sub(u32::from(bits.width));
                let high = word.unbounded_shl(unused);
                let signed = ty.integer().is_some_and(|(_, signed)| signed);
                let value = if signed {
                    high.cast_signed().unbounded_shr(unused).cast_unsigned()
                } else {
                    high.unbounded_shr(unused)
                };
                self.decoder.value(ty, &value.to_le_bytes()[..ty.size().min(8) as usize])?
            }
            Kind::Complex(bits) => {
                let half = u32::from(*bits) / 16;
                let part = |at: u32| {
                    Float::from_bits(number(take(self.bytes, at as usize, half as usize)), bits / 2)
                };
                Value::Complex(part(at), part(at + half))
            }
            Kind::Time => {
                let (seconds, nanos) = time::unix(self.word(at), self.word(at + 8));
                Value::Time { seconds, nanos }
            }
            Kind::Unreadable => Value::Unreadable,
            Kind::Cut => Value::Omitted,
            Kind::Text { to, room } => self.text(self.word(at + 8), *to, *room),
            Kind::Bytes { .. } if self.word(at) == 0 => Value::Nil,
            Kind::Bytes { to, room } => {
                let shown = self.word(at + 8).min((*room).into());
                Value::Buffer(take(self.bytes, *to as usize, shown as usize).to_vec())
            }
            Kind::Struct(fields) => Value::Struct(
                fields.iter().map(|(name, field)| Ok((name.clone(), self.value(*field)?))).collect::<Result<
                    _,
                    DecodeError,
                >>(
                )?,
            ),
            Kind::Array { elements, len } => self.elements(elements, (*len).into())?,
            Kind::Slice { .. } if self.word(at) == 0 => Value::Nil,
            Kind::Slice { elements, .. } => self.elements(elements, self.word(at + 8))?,
            Kind::Pointer { .. }
            | Kind::Func { .. }
            | Kind::Container { .. }
            | Kind::Map(_)
            | Kind::Interface { .. }
                if self.word(at) == 0 =>
            {
                Value::Nil
            }
            Kind::Pointer { target, .. } => self.value(*target)?,
            Kind::Func { to } => {
                Value::UserSymbol { address: self.word(*to), pid: self.word(*to + 8) as u32 }
            }
            Kind::Container { to, channel } => {
                Value::Container { len: self.word(*to), capacity: channel.then(|| self.word(*to + 8)) }
            }
            Kind::Map(map) => self.map(map)?,
            Kind::Interface { to, room, .. } => self.interface(self.word(at + 8), *to, *room),
        })
    }

    /// The entries that were copied, in the order of their keys, as Go prints maps. Of a map of which none could be found, the number.
    fn map(&self, map: &MapCopy) -> Result<Value, DecodeError> {
        let (len, copied) = (self.word(map.to), self.word(map.to + 8));
        let copied = usize::try_from(copied).unwrap_or(usize::MAX);
        let entries = map.entries.iter().take(copied);
        let entries = entries.map(|(key, element)| Ok((self.value(*key)?, self.value(*element)?)));
        let mut entries = entries.collect::<Result<Vec<_>, DecodeError>>()?;
        if entries.is_empty() && len > 0 {
            return Ok(Value::Container { len, capacity: None });
        }
        entries.sort();
        let more = len > entries.len() as u64;
        Ok(Value::GoMap { entries, more })
    }

    fn text(&self, len: u64, to: u32, room: u32) -> Value {
        let shown = len.min(room.into());
        let bytes = take(self.bytes, to as usize, shown as usize).to_vec();
        Value::Text(Text { bytes, cut: len > room.into() })
    }

    /// The elements that there are, and a mark for those that are not shown.
    fn elements(&self, nodes: &[NodeId], len: u64) -> Result<Value, DecodeError> {
        let shown = usize::try_from(len).unwrap_or(usize::MAX).min(nodes.len());
        let mut elements =
            nodes.iter().take(shown).map(|node| self.value(*node)).collect::<Result<Vec<_>, _>>()?;
        if len > shown as u64 {
            elements.push(Value::Omitted);
        }
        Ok(Value::Array(elements))
    }

    /// The value in an interface that is not nil; `data` is its second word. Numbers by `reflect.Kind` (1 to 14) and strings
    /// (24) are known, of others the type.
    fn interface(&self, data: u64, to: u32, room: u32) -> Value {
        let ty = GoTypeAddress { address: self.word(to), pid: self.word(to + 32) as u32 };
        let kind = (self.word(to + 8) >> 56) & KIND_MASK;
        let raw = self.word(to + 16);
        let int = |bits: u8| Value::Int(Int::of_64(raw, true).narrowed(bits));
        let uint = |bits: u8| Value::Int(Int::of_64(raw, false).narrowed(bits));
        match kind {
            1..=14 | 24 if data == 0 => Value::Dynamic { ty, address: None },
            1 => Value::Bool(raw & 0xff != 0),
            2 => int(64),
            6 => Value::DynamicInt64 { ty, number: raw.cast_signed() },
            3 => int(8),
            4 => int(16),
            5 => int(32),
            7 | 11 | 12 => uint(64),
            8 => uint(8),
            9 => uint(16),
            10 => uint(32),
            13 => Value::Float(Float::from_bits(raw, 32)),
            14 => Value::Float(Float::from_bits(raw, 64)),
            24 => self.text(self.word(to + 24), to + INTERFACE_SIZE, room),
            18 | 19 | 21 | 22 | 26 => Value::Dynamic { ty, address: Some(data) },
            _ => Value::Dynamic { ty, address: None },
        }
    }
}
