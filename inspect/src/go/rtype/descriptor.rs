//! One type descriptor: `internal/abi.Type` and what follows it for each kind, `internal/abi.Name`, `internal/abi.UncommonType`
//! (`runtime._type` and `runtime.uncommontype` before Go 1.21). Offsets are those of 64-bit machines.

use std::ops::Range;

use super::super::moduledata::ModuleData;
use super::super::signature::Kind;
use super::super::version::Release;
use crate::bytes;
use crate::image::Image;

/// Size of `abi.Type`, with which every descriptor starts.
const BASE: u64 = 48;
/// Size of `abi.UncommonType`.
const UNCOMMON: u64 = 16;
/// Size of `abi.StructField`, `abi.Imethod` and `abi.Method`.
const FIELD: u64 = 24;
const INTERFACE_METHOD: u64 = 8;
pub(super) const METHOD: u64 = 16;

/// Size of a pointer to a descriptor.
const POINTER: u64 = 8;

/// Bits of `Type.TFlag`.
const HAS_UNCOMMON: u8 = 1;
const EXTRA_STAR: u8 = 2;
const NAMED: u8 = 4;
/// Bits of `Type.Kind_` that hold the kind.
const KIND_MASK: u8 = 31;

/// Bits of the first byte of a name.
const NAME_EMBEDDED: u8 = 8;
/// First release whose names have a varint for their length, and two bytes before.
const VARINT_NAMES: Release = Release(17);
/// First release that keeps the embedded bit in the name; before it is the lowest bit of the offset.
const EMBEDDED_IN_NAME: Release = Release(19);

/// Bytes that a name may have: as many as its length could say before Go 1.17.
const NAME_LENGTH: u64 = 1 << 16;
/// Parts that one descriptor may have; the compiler's own limits are below.
const PARTS: u64 = 1 << 13;

/// Sizes of `MapType` by release.
const MAP_SIZES: [(Release, u64); 3] = [(Release(0), 88), (Release(24), 112), (Release(27), 128)];

/// Reads descriptors.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) image: &'a Image,
    pub(super) module: &'a ModuleData,
    release: Release,
}

/// What all descriptors have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptor {
    pub(super) vaddr: u64,
    pub(super) size: u32,
    pub(super) align: u32,
    pub(super) kind: Kind,
    flags: u8,
    name: u32,
    to_this: u32,
}

/// A member of a structure.
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) ty: u64,
    pub(super) offset: u32,
    pub(super) embedded: bool,
}

/// A method of a type. Addresses are `None` where the linker left the method out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method<'a> {
    pub(super) name: &'a str,
    /// Its type without the receiver.
    pub(super) ty: Option<u64>,
    /// Its code for calls through interfaces: the receiver is one word.
    pub(super) through_interface: Option<u64>,
    /// Its code.
    pub(super) code: Option<u64>,
}

/// Parameters and results of a function type: where their list stands, and how many there are. Nothing of the list has been read.
pub(super) struct FuncType<'a> {
    reader: Reader<'a>,
    list: u64,
    params: u64,
    results: u64,
    pub(super) variadic: bool,
}

impl FuncType<'_> {
    pub(super) fn param_count(&self) -> u64 {
        self.params
    }

    pub(super) fn result_count(&self) -> u64 {
        self.results
    }

    /// Descriptors of the parameters, each `None` if it cannot be read.
    pub(super) fn params(&self) -> impl Iterator<Item = Option<u64>> + use<'_> {
        self.part(0..self.params)
    }

    /// Descriptors of the results, each `None` if it cannot be read.
    pub(super) fn results(&self) -> impl Iterator<Item = Option<u64>> + use<'_> {
        self.part(self.params..self.params + self.results)
    }

    fn part(&self, part: Range<u64>) -> impl Iterator<Item = Option<u64>> + use<'_> {
        part.map(|n| self.reader.word(self.list.checked_add(POINTER * n)?))
    }
}

impl Descriptor {
    /// Whether the type has a name of its own: `int` and `http.Request`, not `[]int`.
    pub(super) fn is_named(&self) -> bool {
        self.flags & NAMED != 0
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(image: &'a Image, module: &'a ModuleData, release: Release) -> Reader<'a> {
        Reader { image, module, release }
    }

    /// The descriptor at an address; `None` if none can be there.
    pub(super) fn descriptor(&self, vaddr: u64) -> Option<Descriptor> {
        let inside = self.module.types <= vaddr && vaddr < self.module.etypes && vaddr.is_multiple_of(8);
        let base = inside.then(|| self.image.read(vaddr, BASE as usize))??;
        let align = u32::from(bytes::u8(base, 21)?);
        (align.is_power_of_two() && align <= 16).then_some(())?;
        Some(Descriptor {
            vaddr,
            // Programs point to arrays of a size that no memory has, to index them freely.
            size: u32::try_from(bytes::u64(base, 0)?).unwrap_or(u32::MAX),
            align,
            kind: Kind::of_reflect(u64::from(bytes::u8(base, 23)? & KIND_MASK))?,
            flags: bytes::u8(base, 20)?,
            name: bytes::u32(base, 40)?,
            to_this: bytes::u32(base, 44)?,
        })
    }

    /// The name as `%T` prints it.
    pub(super) fn short_name(&self, of: &Descriptor) -> Option<&'a str> {
        let text = self.name(self.type_data(of.name)?)?.text;
        if of.flags & EXTRA_STAR != 0 { text.strip_prefix('*') } else { Some(text) }
    }

    /// The import path of the package that declares a named type; `None` for predeclared and unnamed types.
    pub(super) fn package(&self, of: &Descriptor) -> Option<&'a str> {
        let at = self.uncommon(of)?;
        let text = self.name(self.type_data(self.u32(at)?)?)?.text;
        (!text.is_empty()).then_some(text)
    }

    /// The pointer type to this type, if the compiler made one.
    pub(super) fn pointer_to(&self, of: &Descriptor) -> Option<u64> {
        self.type_data(of.to_this)
    }

    /// What a pointer points to, the elements of slices, arrays and channels.
    pub(super) fn element(&self, of: &Descriptor) -> Option<u64> {
        self.word(of.vaddr + BASE)
    }

    /// The keys of a map.
    pub(super) fn map_key(&self, of: &Descriptor) -> Option<u64> {
        self.word(of.vaddr + BASE)
    }

    /// The elements of a map.
    pub(super) fn map_element(&self, of: &Descriptor) -> Option<u64> {
        self.word(of.vaddr + BASE + 8)
    }

    /// Elements of an array.
    pub(super) fn array_length(&self, of: &Descriptor) -> Option<u64> {
        self.word(of.vaddr + BASE + 16)
    }

    /// Direction of a channel: 1 receive, 2 send, 3 both.
    pub(super) fn direction(&self, of: &Descriptor) -> Option<u64> {
        self.word(of.vaddr + BASE + 8)
    }

    /// The members of a structure, each `None` if it cannot be read.
    pub(super) fn fields(
        &self,
        of: &Descriptor,
    ) -> Option<impl Iterator<Item = Option<Field<'a>>> + use<'a>> {
        let (first, count) = self.slice(of.vaddr + BASE + 8)?;
        let reader = *self;
        Some((0..count).map(move |n| reader.field(first.checked_add(n * FIELD)?)))
    }

    fn field(&self, at: u64) -> Option<Field<'a>> {
        let name = self.name(self.word(at)?)?;
        let (ty, place) = (self.word(at.checked_add(8)?)?, self.word(at.checked_add(16)?)?);
        let (offset, embedded) = if self.release >= EMBEDDED_IN_NAME {
            (place, name.flags & NAME_EMBEDDED != 0)
        } else {
            (place >> 1, place & 1 != 0)
        };
        Some(Field { name: name.text, ty, offset: u32::try_from(offset).ok()?, embedded })
    }

    /// Parameters and results of a function type.
    pub(super) fn func(&self, of: &Descriptor) -> Option<FuncType<'a>> {
        let counts = self.image.read(of.vaddr + BASE, 4)?;
        let (ins, outs) = (bytes::u16(counts, 0)?, bytes::u16(counts, 2)?);
        let variadic = outs & 0x8000 != 0;
        let (params, results) = (u64::from(ins), u64::from(outs & 0x7fff));
        let list = of.vaddr + BASE + 8 + if of.flags & HAS_UNCOMMON != 0 { UNCOMMON } else { 0 };
        (params + results <= PARTS).then_some(FuncType { reader: *self, list, params, results, variadic })
    }

    /// The methods of an interface type with their types.
    pub(super) fn interface_methods(
        &self,
        of: &Descriptor,
    ) -> Option<impl Iterator<Item = Option<(&'a str, u64)>> + use<'a>> {
        let (first, count) = self.slice(of.vaddr + BASE + 8)?;
        let reader = *self;
        Some((0..count).map(move |n| {
            let at = first.checked_add(n * INTERFACE_METHOD)?;
            let name = reader.name(reader.type_data(reader.u32(at)?)?)?;
            Some((name.text, reader.type_data(reader.u32(at + 4)?)?))
        }))
    }

    /// The methods of a type, each `None` if it cannot be read.
    pub(super) fn methods(
        &self,
        of: &Descriptor,
    ) -> Option<impl Iterator<Item = Option<Method<'a>>> + use<'a>> {
        let at = self.uncommon(of)?;
        let head = self.image.read(at, UNCOMMON as usize)?;
        let (count, offset) = (u64::from(bytes::u16(head, 4)?), u64::from(bytes::u32(head, 8)?));
        let first = at.checked_add(offset)?;
        let reader = *self;
        Some((0..count).map(move |n| reader.method(first.checked_add(n * METHOD)?)))
    }

    fn method(&self, at: u64) -> Option<Method<'a>> {
        let raw = self.image.read(at, METHOD as usize)?;
        let offset = |n| bytes::u32(raw, n);
        Some(Method {
            name: self.name(self.type_data(offset(0)?)?)?.text,
            ty: self.type_data(offset(4)?),
            through_interface: self.code(offset(8)?),
            code: self.code(offset(12)?),
        })
    }

    /// Bytes that a descriptor takes with all that stands behind it, for the packed list of Go 1.27.
    pub(super) fn extent(&self, of: &Descriptor) -> Option<u64> {
        let mut size = self.own_size(of.kind);
        if of.flags & HAS_UNCOMMON != 0 {
            let at = self.uncommon(of)?;
            size += UNCOMMON + METHOD * u64::from(bytes::u16(self.image.read(at, 6)?, 4)?);
        }
        size += match of.kind {
            Kind::Func => {
                let counts = self.image.read(of.vaddr + BASE, 4)?;
                8 * u64::from(bytes::u16(counts, 0)?) + 8 * u64::from(bytes::u16(counts, 2)? & 0x7fff)
            }
            Kind::Interface => INTERFACE_METHOD * self.method_count(of)?,
            Kind::Struct => FIELD * self.slice(of.vaddr + BASE + 8)?.1,
            _ => 0,
        };
        Some(size.next_multiple_of(8))
    }

    /// Number of methods that an interface asks for. None are left out: only those of concrete types are, when nothing calls them.
    pub(super) fn method_count(&self, of: &Descriptor) -> Option<u64> {
        Some(self.slice(of.vaddr + BASE + 8)?.1)
    }

    /// Size of the structure that describes a kind, without what is behind it.
    fn own_size(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Array => 72,
            Kind::Chan => 64,
            Kind::Func | Kind::Pointer | Kind::Slice => 56,
            Kind::Interface | Kind::Struct => 80,
            Kind::Map => MAP_SIZES
                .iter()
                .rev()
                .find(|(since, _)| self.release >= *since)
                .map_or(BASE, |(_, size)| *size),
            _ => BASE,
        }
    }

    fn uncommon(&self, of: &Descriptor) -> Option<u64> {
        (of.flags & HAS_UNCOMMON != 0).then(|| of.vaddr + self.own_size(of.kind))
    }

    /// The address of an offset into the type data; 0 stands for nothing.
    fn type_data(&self, offset: u32) -> Option<u64> {
        let at = self.module.types.checked_add(u64::from(offset))?;
        (offset != 0 && at < self.module.etypes).then_some(at)
    }

    /// The address of an offset into the text; 0 and -1 stand for a method that was left out.
    fn code(&self, offset: u32) -> Option<u64> {
        let at = self.module.text.checked_add(u64::from(offset))?;
        (offset != 0 && at < self.module.etext).then_some(at)
    }

    /// A slice of parts: address and length.
    fn slice(&self, at: u64) -> Option<(u64, u64)> {
        let (first, count) = (self.word(at)?, self.word(at.checked_add(8)?)?);
        (count <= PARTS).then_some((first, count))
    }

    pub(super) fn word(&self, vaddr: u64) -> Option<u64> {
        self.image.read_word(vaddr)
    }

    fn u32(&self, vaddr: u64) -> Option<u32> {
        bytes::u32(self.image.read(vaddr, 4)?, 0)
    }

    fn name(&self, vaddr: u64) -> Option<Name<'a>> {
        let data = self.image.tail(vaddr)?;
        let flags = bytes::u8(data, 0)?;
        let (len, start) = if self.release >= VARINT_NAMES {
            bytes::uvarint(data, 1)?
        } else {
            (u64::from(u16::from_be_bytes(bytes::array(data, 1)?)), 3)
        };
        (len <= NAME_LENGTH).then_some(())?;
        let end = start.checked_add(bytes::index(len)?)?;
        Some(Name { flags, text: std::str::from_utf8(data.get(start..end)?).ok()? })
    }
}

/// A name in the type data.
struct Name<'a> {
    flags: u8,
    text: &'a str,
}
