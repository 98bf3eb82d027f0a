//! The build information that the Go linker puts into every binary (section `.go.buildinfo`): toolchain
//! version and module data. Present in stripped and position-independent binaries too. Layouts:
//! `debug/buildinfo` of Go.

use crate::bytes;
use crate::image::Image;

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The record starts at a multiple of this (`buildInfoAlign` in `debug/buildinfo`).
const ALIGN: usize = 16;
const HEADER: usize = 32;
/// Flag bit: strings follow the header, each with a varint length (Go 1.18 and later). Without it, two
/// pointers to Go string headers stand at 16 and 24.
const INLINE_STRINGS: u8 = 2;
/// Guards around the module data, which keep `strings(1)`-like scanners of the linker's own from cutting it.
const SENTINEL: usize = 16;

/// What the linker recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    /// Toolchain version as written, for example `go1.27.3` or `go1.20.7 X:boringcrypto`.
    pub version: String,
    /// Module data: lines of `path`, `mod`, `dep` and (since Go 1.18) `build KEY=VALUE`, tab-separated. Empty
    /// when absent.
    pub modules: String,
}

impl BuildInfo {
    /// The value of a `build` line, for example `CGO_ENABLED` or `-ldflags`.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.modules.lines().find_map(|line| {
            let (name, value) = line.strip_prefix("build\t")?.split_once('=')?;
            (name == key).then_some(value)
        })
    }

    /// Reads the record of a binary, or `None` when it has none.
    pub(crate) fn find(image: &Image) -> Option<BuildInfo> {
        let at = locate(image)?;
        let record = image.tail(at)?;
        if bytes::u8(record, 15)? & INLINE_STRINGS != 0 {
            let (version, next) = counted(record, HEADER)?;
            let modules = counted(record, next).map_or(&[][..], |(modules, _)| modules);
            return Some(BuildInfo { version: text(version), modules: text(unguard(modules)) });
        }
        // The pointers need relocation in a position-independent file: read them as words of the image.
        let version = go_string(image, image.read_word(at.checked_add(16)?)?)?;
        let modules = image.read_word(at.checked_add(24)?).and_then(|p| go_string(image, p));
        Some(BuildInfo { version: text(version), modules: text(unguard(modules.unwrap_or_default())) })
    }
}

/// Address of the record: its section, or (without a section table) a search of the writable segments, which
/// is where the linker puts it.
fn locate(image: &Image) -> Option<u64> {
    if let Some(section) = image.section(".go.buildinfo") {
        return image.read(section.vaddr, MAGIC.len()).filter(|b| *b == MAGIC).map(|_| section.vaddr);
    }
    if !image.sections().is_empty() {
        return None;
    }
    image.segments().iter().filter(|s| s.writable).find_map(|s| {
        let data = image.tail(s.vaddr)?;
        let position = data.chunks(ALIGN).position(|chunk| chunk.starts_with(MAGIC))?;
        s.vaddr.checked_add((position * ALIGN) as u64)
    })
}

fn counted(data: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (len, at) = bytes::uvarint(data, at)?;
    let end = at.checked_add(bytes::index(len)?)?;
    Some((data.get(at..end)?, end))
}

/// The text of a Go string header (pointer, length) at `vaddr`.
fn go_string(image: &Image, vaddr: u64) -> Option<&[u8]> {
    let (data, len) = (image.read_word(vaddr)?, image.read_word(vaddr.checked_add(8)?)?);
    if len == 0 {
        return Some(&[]);
    }
    image.read(data, bytes::index(len)?)
}

fn unguard(modules: &[u8]) -> &[u8] {
    let end = modules.len().saturating_sub(SENTINEL);
    modules.get(SENTINEL..end).unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
