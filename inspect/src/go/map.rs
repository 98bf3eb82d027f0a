//! Layout of Go maps: where the runtime keeps keys and elements.
//!
//! A map keeps entries by eights. Up to Go 1.23 eight are a bucket, which may lead on to more in an overflow bucket
//! (`runtime/map.go`); since Go 1.24 they are a group of a table, and there may be several tables (`internal/runtime/maps`). The
//! compiler makes the type of a bucket or group for each map type (`cmd/compile/internal/reflectdata`); the same is computed here.

use super::GoBinary;
use super::signature::Kind;
use super::types::TypeRef;
use super::version::{GoVersion, Release};

/// First release with groups; the experiment `noswissmap` brings back buckets.
const GROUPS: Release = Release(24);
/// Entries of a bucket or group (`abi.MapBucketCount`, `abi.MapGroupSlots`).
const ENTRIES: u32 = 8;
/// Bytes before the first key: a byte for each entry that says whether it is there.
const CONTROL: u32 = 8;
/// What is larger than this is kept elsewhere, and its address in the map (`abi.MapMaxKeyBytes`, `abi.MapMaxElemBytes`).
const DIRECT: u32 = 128;
/// Bytes of an address.
const WORD: u32 = 8;

/// How a map is organized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapForm {
    /// Buckets that may overflow: `runtime.hmap`.
    Buckets,
    /// Groups in tables: `internal/runtime/maps.Map`.
    Groups,
}

/// Where the entries of a map are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapLayout {
    /// What the blocks of eight are.
    pub form: MapForm,
    /// Bytes of a block.
    pub size: u32,
    /// The keys.
    pub keys: Column,
    /// The elements.
    pub elements: Column,
}

/// The keys, or the elements, of a block of eight entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Their type.
    pub ty: TypeRef,
    /// Bytes of a value.
    pub size: u32,
    /// Bytes from the start of the block to the first.
    pub offset: u32,
    /// Bytes from one to the next.
    pub stride: u32,
    /// Addresses of the values are there, not the values.
    pub indirect: bool,
}

/// Size and alignment of what a block has of a value.
#[derive(Clone, Copy)]
struct Slot {
    size: u32,
    align: u32,
    indirect: bool,
}

impl Slot {
    fn of(size: u32, align: u32) -> Slot {
        match size > DIRECT {
            true => Slot { size: WORD, align: WORD, indirect: true },
            false => Slot { size, align: align.max(1), indirect: false },
        }
    }
}

impl GoBinary {
    /// The layout of a map type; `None` for other types, and when the key's or the element's type is not described.
    pub fn map_layout(&self, ty: TypeRef) -> Option<MapLayout> {
        let described = |ty| self.type_info(ty).ok().flatten();
        let info = described(ty).filter(|info| info.kind == Kind::Map)?;
        let (key_type, element_type) = (info.key?, info.element?);
        let (key, element) = (described(key_type)?, described(element_type)?);
        let (keys, elements) = (Slot::of(key.size, key.align), Slot::of(element.size, element.align));
        let experiment = |name| self.version().is_some_and(|v: &GoVersion| v.has_experiment(name));
        let form = match self.release() < GROUPS || experiment("noswissmap") {
            true => MapForm::Buckets,
            false => MapForm::Groups,
        };
        let column = |ty, size, slot: Slot, offset, stride| Column {
            ty,
            size,
            offset,
            stride,
            indirect: slot.indirect,
        };
        if form == MapForm::Groups && !experiment("mapsplitgroup") {
            let at = keys.size.next_multiple_of(elements.align);
            // The address of an empty last member must not be that of what comes next (`types.CalcSize`).
            let end = at + elements.size + u32::from(elements.size == 0 && at > 0);
            let stride = end.next_multiple_of(keys.align.max(elements.align));
            return Some(MapLayout {
                form,
                size: CONTROL + ENTRIES * stride,
                keys: column(key_type, key.size, keys, CONTROL, stride),
                elements: column(element_type, element.size, elements, CONTROL + at, stride),
            });
        }
        let behind_keys = (CONTROL + ENTRIES * keys.size).next_multiple_of(elements.align);
        let end = behind_keys + ENTRIES * elements.size;
        let size = match form {
            // The last word is the address of the overflow bucket.
            MapForm::Buckets => end.next_multiple_of(WORD) + WORD,
            MapForm::Groups => (end + u32::from(elements.size == 0)).next_multiple_of(WORD),
        };
        Some(MapLayout {
            form,
            size,
            keys: column(key_type, key.size, keys, CONTROL, keys.size),
            elements: column(element_type, element.size, elements, behind_keys, elements.size),
        })
    }
}
