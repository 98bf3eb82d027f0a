//! The bytes of the DWARF sections of a file: as they stand, or expanded from one of the two compressed forms.
//! Each section is expanded when it is first asked for, and kept.
//!
//! Go's linker compresses by default: up to Go 1.16 in the old GNU form (`.zdebug_info`: `ZLIB`, the size as a
//! big-endian word, a zlib stream), later in the form of the ELF specification (`SHF_COMPRESSED`, `Elf64_Chdr`,
//! a stream). Go writes zlib streams, which `flate2` reads; distributions also zstd, which `ruzstd` reads.

use std::io::Read;
use std::sync::OnceLock;

use flate2::read::ZlibDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::DwarfError;
use crate::bytes;
use crate::image::Image;

/// The sections that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Abbrev,
    /// Addresses by index, since DWARF 5 (Go 1.25).
    Addr,
    Info,
    /// Places of variables: DWARF 4.
    Loc,
    /// Places of variables: DWARF 5.
    LocLists,
    /// Address ranges of units: DWARF 4.
    Ranges,
    /// Address ranges of units: DWARF 5.
    RngLists,
    /// Strings that tools such as `dwz` moved out of the entries, where Go writes them.
    Str,
    /// Which instructions belong to which lines, in C, C++ and Rust.
    Line,
    /// Names of files of these.
    LineStr,
    /// Strings by index.
    StrOffsets,
    /// How to unwind: see [`crate::unwind`].
    Frame,
}

/// Names behind `.debug_` and `.zdebug_`, in the order of [`Section`].
const NAMES: [&str; 12] = [
    "abbrev",
    "addr",
    "info",
    "loc",
    "loclists",
    "ranges",
    "rnglists",
    "str",
    "line",
    "line_str",
    "str_offsets",
    "frame",
];

/// Greatest expansion that is believed. Debug sections shrink to a third or a quarter; a file that claims more
/// than this, or more than [`SMALL`], is made to fill the memory.
const MAX_RATIO: u64 = 64;
/// Sizes up to which any expansion is believed: short sections can be mostly zeros.
const SMALL: u64 = 1 << 20;

/// `ELFCOMPRESS_ZLIB`
const ELFCOMPRESS_ZLIB: u32 = 1;
/// `ELFCOMPRESS_ZSTD`
const ELFCOMPRESS_ZSTD: u32 = 2;
/// Size of `Elf64_Chdr`: type, padding, size, alignment.
const CHDR_SIZE: usize = 24;
/// Start of an old compressed section, and the size of its header.
const GNU_MAGIC: &[u8] = b"ZLIB";
const GNU_HEADER_SIZE: usize = 12;

/// The expanded sections of one file.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    expanded: [OnceLock<Result<Vec<u8>, DwarfError>>; NAMES.len()],
}

impl Sections {
    /// Whether the file has the section at all.
    pub(crate) fn has(image: &Image, section: Section) -> bool {
        !matches!(find(image, section), Ok(Form::Plain([])))
    }

    /// The bytes of a section; none of a section that the file does not have.
    pub(crate) fn bytes<'a>(&'a self, image: &'a Image, section: Section) -> Result<&'a [u8], DwarfError> {
        match find(image, section)? {
            Form::Plain(data) => Ok(data),
            Form::Compressed { method, stream, size } => {
                let Some(slot) = self.expanded.get(section as usize) else { return Ok(&[]) };
                let kept = slot.get_or_init(|| expand(method, stream, size));
                kept.as_deref().map_err(DwarfError::clone)
            }
        }
    }
}

/// How a section is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Zlib,
    Zstd,
}

/// A section as it stands in the file.
enum Form<'a> {
    Plain(&'a [u8]),
    Compressed {
        method: Method,
        stream: &'a [u8],
        /// Bytes of the expanded section, as the file claims.
        size: u64,
    },
}

fn find(image: &Image, section: Section) -> Result<Form<'_>, DwarfError> {
    let suffix = NAMES.get(section as usize).copied().unwrap_or_default();
    let named = |prefix: &str| {
        image.sections().iter().find(|s| s.name.strip_prefix(prefix) == Some(suffix) && !s.file.is_empty())
    };
    let contents = |file: std::ops::Range<usize>| image.bytes().get(file).ok_or(DwarfError::CutShort);
    if let Some(found) = named(".debug_") {
        let data = contents(found.file.clone())?;
        if !found.compressed {
            return Ok(Form::Plain(data));
        }
        return match (bytes::u32(data, 0), bytes::u64(data, 8), data.get(CHDR_SIZE..)) {
            (Some(method), Some(size), Some(stream)) => {
                let method = match method {
                    ELFCOMPRESS_ZLIB => Method::Zlib,
                    ELFCOMPRESS_ZSTD => Method::Zstd,
                    _ => return Err(DwarfError::Compression),
                };
                Ok(Form::Compressed { method, stream, size })
            }
            _ => Err(DwarfError::CutShort),
        };
    }
    if let Some(found) = named(".zdebug_") {
        let data = contents(found.file.clone())?;
        let size = bytes::array(data, GNU_MAGIC.len()).map(u64::from_be_bytes);
        return match (data.starts_with(GNU_MAGIC), size, data.get(GNU_HEADER_SIZE..)) {
            (true, Some(size), Some(stream)) => Ok(Form::Compressed { method: Method::Zlib, stream, size }),
            // The linker leaves a section as it is where compression does not help.
            (false, ..) => Ok(Form::Plain(data)),
            _ => Err(DwarfError::CutShort),
        };
    }
    Ok(Form::Plain(&[]))
}

fn expand(method: Method, mut stream: &[u8], size: u64) -> Result<Vec<u8>, DwarfError> {
    let believed = SMALL.max((stream.len() as u64).saturating_mul(MAX_RATIO));
    let capacity = bytes::index(size).filter(|_| size <= believed).ok_or(DwarfError::Expansion { size })?;
    let mut out = Vec::with_capacity(capacity);
    let read = match method {
        Method::Zlib => ZlibDecoder::new(stream).take(size).read_to_end(&mut out).ok(),
        Method::Zstd => {
            let decoder = StreamingDecoder::new(&mut stream).ok();
            decoder.and_then(|decoder| decoder.take(size).read_to_end(&mut out).ok())
        }
    };
    read.ok_or(DwarfError::Stream)?;
    if out.len() == capacity { Ok(out) } else { Err(DwarfError::Stream) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn compressed(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn a_stream_has_exactly_the_size_it_claims() {
        let data = b"debug debug debug debug".repeat(100);
        let size = data.len() as u64;
        for (method, stream) in [
            (Method::Zlib, compressed(&data)),
            (Method::Zstd, compress_to_vec(&*data, CompressionLevel::Fastest)),
        ] {
            assert!(stream.len() < data.len());
            assert_eq!(expand(method, &stream, size).as_deref(), Ok(data.as_slice()));
            assert_eq!(expand(method, &stream, size + 1), Err(DwarfError::Stream));
            assert_eq!(expand(method, &stream[..stream.len() / 2], size), Err(DwarfError::Stream));
            assert_eq!(expand(method, b"no stream", 9), Err(DwarfError::Stream));
        }
    }

    #[test]
    fn an_unbelievable_size_is_refused_before_it_is_allocated() {
        let stream = compressed(&[0; 4 << 20]);
        let expand = |stream: &[u8], size| expand(Method::Zlib, stream, size);
        assert_eq!(expand(&stream, u64::MAX), Err(DwarfError::Expansion { size: u64::MAX }));
        assert_eq!(expand(&stream, 4 << 20), Err(DwarfError::Expansion { size: 4 << 20 }));
        assert_eq!(expand(&compressed(&[0; 1 << 20]), 1 << 20).map(|data| data.len()), Ok(1 << 20));
    }

    /// Each byte of a stream is damaged in several ways: whatever it becomes, the bytes are no more than it claims.
    #[test]
    fn damaged_streams_end() {
        let data: Vec<u8> = (0..300u32).flat_map(|n| (n * n / 7).to_le_bytes()).collect();
        let stream = compress_to_vec(&*data, CompressionLevel::Fastest);
        for at in 0..stream.len() {
            for change in [1, 0x10, 0x80, 0xff] {
                let mut damaged = stream.clone();
                damaged[at] ^= change;
                let found = expand(Method::Zstd, &damaged, data.len() as u64);
                assert!(found.is_err() || found.is_ok_and(|found| found.len() == data.len()));
            }
        }
    }
}
