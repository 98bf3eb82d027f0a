//! Libraries inside of ZIP archives, as Android runs them from application packages: members that are stored as they are, at a
//! multiple of the page size, so that the dynamic linker maps them out of the archive.
//!
//! Read is the central directory at the end of the file and the header before the member (APPNOTE.TXT of PKWARE, 4.3). Archives with 64-bit
//! sizes (ZIP64) are refused.

use std::ops::Range;

use crate::bytes;

/// Stands between an archive and the member in the name of a binary: `app.apk!/lib/libx.so`.
pub const SEPARATOR: &str = "!/";

/// Members can be mapped from multiples of this size only, that of the smallest pages.
const PAGE: usize = 4096;
/// Signature and size of the record that ends an archive, without its comment, which has at most 64 KiB.
const END: (u32, usize) = (0x0605_4b50, 22);
const COMMENT: usize = 0xffff;
/// The same of an entry of the central directory, without name, extra fields and comment.
const ENTRY: (u32, usize) = (0x0201_4b50, 46);
/// The same of the header before a member, without name and extra fields.
const HEADER: (u32, usize) = (0x0403_4b50, 30);
/// Method of a member that is stored as it is.
const STORED: u16 = 0;
/// Flag of encrypted members.
const ENCRYPTED: u16 = 1;
/// Stands in place of numbers that do not fit 32 bits.
const LARGE: u32 = 0xffff_ffff;

/// Why a member cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no directory of members.
    #[error("the file is no ZIP archive")]
    NotAnArchive,
    /// No member of that name.
    #[error("the archive has no such member")]
    NoMember,
    /// It is not in the file as it runs.
    #[error(
        "the member is compressed: it is not mapped from the archive, but unpacked to a file before it runs"
    )]
    Compressed,
    /// The same.
    #[error("the member is encrypted")]
    Encrypted,
    /// The dynamic linker cannot map it.
    #[error(
        "the member begins at {0:#x}, which is no multiple of the page size: it cannot be mapped from the archive"
    )]
    Unaligned(usize),
    /// Offsets or sizes of more than 32 bits.
    #[error("archives of 4 GiB and more (ZIP64) are not read")]
    Large,
    /// The headers lead out of the file.
    #[error("the archive is damaged")]
    Damaged,
}

/// Cuts the name of a binary into that of the file and, for a member of an archive, that of the member.
pub fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once(SEPARATOR).map_or((name, None), |(file, member)| (file, Some(member)))
}

/// Where a member is in an archive.
///
/// # Errors
/// [`Refused`]
pub fn find(archive: &[u8], name: &str) -> Result<Range<usize>, Refused> {
    let mut entries = entries(archive)?.filter(|entry| entry.name == name.as_bytes());
    // Of several the last is what programs unpack.
    let entry = entries.by_ref().last().ok_or(Refused::NoMember)?;
    let content = entry.content(archive)?;
    if content.start.is_multiple_of(PAGE) { Ok(content) } else { Err(Refused::Unaligned(content.start)) }
}

/// The stored member that has the byte at `offset`; `None` if there is none, or the file is no archive.
pub fn at(archive: &[u8], offset: usize) -> Option<Range<usize>> {
    entries(archive).ok()?.filter_map(|entry| entry.content(archive).ok()).find(|c| c.contains(&offset))
}

/// An entry of the central directory.
struct Entry<'a> {
    name: &'a [u8],
    flags: u16,
    method: u16,
    /// Bytes in the file.
    size: u32,
    /// Where the header before it is.
    header: u32,
}

impl Entry<'_> {
    fn content(&self, archive: &[u8]) -> Result<Range<usize>, Refused> {
        if self.flags & ENCRYPTED != 0 {
            return Err(Refused::Encrypted);
        }
        if self.method != STORED {
            return Err(Refused::Compressed);
        }
        if self.size == LARGE || self.header == LARGE {
            return Err(Refused::Large);
        }
        let content = || {
            let header = self.header as usize;
            let length = |at: usize| bytes::u16(archive, header + at).map(usize::from);
            let start = header + HEADER.1 + length(26)? + length(28)?;
            let content = start..start + self.size as usize;
            let is_header = bytes::u32(archive, header)? == HEADER.0;
            (is_header && content.end <= archive.len()).then_some(content)
        };
        content().ok_or(Refused::Damaged)
    }
}

/// The members of an archive, in the order of its directory, up to one that is damaged.
fn entries(archive: &[u8]) -> Result<impl Iterator<Item = Entry<'_>>, Refused> {
    let last = archive.len().checked_sub(END.1).ok_or(Refused::NotAnArchive)?;
    let is_end = |at: &usize| {
        let comment = bytes::u16(archive, at + 20).map(usize::from);
        bytes::u32(archive, *at) == Some(END.0) && comment == Some(last - at)
    };
    let end = (last.saturating_sub(COMMENT)..=last).rev().find(is_end).ok_or(Refused::NotAnArchive)?;
    let start = match bytes::u32(archive, end + 16) {
        Some(LARGE) => return Err(Refused::Large),
        start => start.unwrap_or_default() as usize,
    };
    let directory = archive.get(start..end).ok_or(Refused::Damaged)?;
    let mut at = 0;
    Ok(std::iter::from_fn(move || {
        let half = |offset: usize| bytes::u16(directory, at + offset);
        let word = |offset: usize| bytes::u32(directory, at + offset);
        let length = |offset: usize| half(offset).map(usize::from);
        if word(0)? != ENTRY.0 {
            return None;
        }
        let name_end = at + ENTRY.1 + length(28)?;
        let next = name_end + length(30)? + length(32)?;
        let entry = Entry {
            name: directory.get(at + ENTRY.1..name_end)?,
            flags: half(8)?,
            method: half(10)?,
            size: word(20)?,
            header: word(42)?,
        };
        at = next;
        Some(entry)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member to be: name, method, flags, and the least offset of its content.
    type Made = (&'static str, u16, u16, usize);

    fn archive(members: &[Made], comment: &[u8]) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        let halves =
            |to: &mut Vec<u8>, halves: &[u16]| to.extend(halves.iter().flat_map(|h| h.to_le_bytes()));
        for (name, method, flags, least) in members {
            let content = format!("content of {name}");
            let header = file.len();
            let padding = least.saturating_sub(header + HEADER.1 + name.len());
            let (length, size) = (name.len() as u16, content.len() as u16);
            file.extend(HEADER.0.to_le_bytes());
            halves(&mut file, &[10, *flags, *method, 0, 0, 0, 0, size, 0, size, 0, length, padding as u16]);
            file.extend(name.bytes().chain(vec![0; padding]).chain(content.bytes()));
            directory.extend(ENTRY.0.to_le_bytes());
            halves(&mut directory, &[10, 10, *flags, *method, 0, 0, 0, 0, size, 0, size, 0, length]);
            // No extra fields, a comment of one byte, first disk, attributes.
            halves(&mut directory, &[0, 1, 0, 0, 0, 0, header as u16, 0]);
            directory.extend(name.bytes().chain(*b"!"));
        }
        let (start, size) = (file.len() as u16, directory.len() as u16);
        file.extend(directory);
        file.extend(END.0.to_le_bytes());
        let count = members.len() as u16;
        halves(&mut file, &[0, 0, count, count, size, 0, start, 0, comment.len() as u16]);
        file.extend(comment);
        file
    }

    fn whole() -> Vec<u8> {
        let members = [
            ("lib/a.so", STORED, 0, PAGE),
            ("lib/b.so", 8, 0, 0),
            ("lib/c.so", STORED, ENCRYPTED, 0),
            ("lib/d.so", STORED, 0, PAGE + 500),
            ("lib/e.so", STORED, 0, 3 * PAGE),
        ];
        archive(&members, b"PK\x05\x06 in a comment")
    }

    #[test]
    fn members() {
        let file = whole();
        let content = |range: Range<usize>| String::from_utf8_lossy(&file[range]).into_owned();
        assert_eq!(find(&file, "lib/a.so").map(content), Ok("content of lib/a.so".into()));
        assert_eq!(find(&file, "lib/e.so").map(content), Ok("content of lib/e.so".into()));
        assert_eq!(find(&file, "lib/b.so"), Err(Refused::Compressed));
        assert_eq!(find(&file, "lib/c.so"), Err(Refused::Encrypted));
        assert_eq!(find(&file, "lib/d.so"), Err(Refused::Unaligned(PAGE + 500)));
        assert_eq!(find(&file, "lib/x.so"), Err(Refused::NoMember));
        assert_eq!(find(b"\x7fELF", "lib/a.so"), Err(Refused::NotAnArchive));
        assert_eq!(at(&file, 3 * PAGE + 7).map(content), Some("content of lib/e.so".into()));
        assert_eq!(at(&file, 3 * PAGE - 1), None);
        let large = archive(&[("a", STORED, 0, PAGE)], b"");
        let start = large.len() - 6;
        let large = [&large[..start], &LARGE.to_le_bytes(), &[0, 0]].concat();
        assert_eq!(find(&large, "a"), Err(Refused::Large));
    }

    #[test]
    fn damage_is_no_danger() {
        let whole = whole();
        let inside = |file: &[u8]| {
            let found = find(file, "lib/e.so").ok().into_iter().chain(at(file, 3 * PAGE));
            found.into_iter().for_each(|range| assert!(file.get(range).is_some()));
        };
        for end in (0..whole.len()).rev().take(600) {
            inside(&whole[..end]);
        }
        for at in (0..64).chain(whole.len() - 600..whole.len()) {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut file = whole.clone();
                file[at] = byte;
                inside(&file);
            }
        }
    }

    #[test]
    fn names() {
        assert_eq!(split("/x/app.apk!/lib/libx.so"), ("/x/app.apk", Some("lib/libx.so")));
        assert_eq!(split("./wow!"), ("./wow!", None));
    }
}
