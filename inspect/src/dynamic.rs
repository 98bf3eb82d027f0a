//! What a program or library asks of the dynamic linker: the libraries that it needs and where to look for them (`PT_DYNAMIC` and
//! `PT_INTERP` of the ELF specification, ld.so(8)). Where the libraries are found is the caller's matter.

use object::LittleEndian as Le;
use object::elf::{self, Dyn64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::bytes;
use crate::image::Image;

/// The entries of a file that say something about libraries. Names that are no text are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dynamic<'a> {
    /// The program that loads the libraries (`PT_INTERP`): the dynamic linker itself.
    pub interpreter: Option<&'a str>,
    /// Names or paths of the libraries that it needs (`DT_NEEDED`), in order.
    pub needed: Vec<&'a str>,
    /// The name by which others need it (`DT_SONAME`).
    pub soname: Option<&'a str>,
    /// Folders in which its libraries and those that these need are looked for first (`DT_RPATH`), with colons between.
    pub rpath: Option<&'a str>,
    /// Folders in which its own libraries are looked for after those of `LD_LIBRARY_PATH` (`DT_RUNPATH`), with colons between.
    pub runpath: Option<&'a str>,
}

/// Reads what a file says; nothing of a static program.
pub fn read(image: &Image) -> Dynamic<'_> {
    let mut found = Dynamic { interpreter: interpreter(image), ..Dynamic::default() };
    let entries = entries(image).unwrap_or_default();
    let value = |wanted: i64| entries.iter().find(|e| e.d_tag.get(Le) == wanted).map(|e| e.d_val.get(Le));
    let Some(strings) = value(elf::DT_STRTAB).and_then(|vaddr| image.tail(vaddr)) else { return found };
    let strings = match value(elf::DT_STRSZ).and_then(bytes::index) {
        Some(size) => strings.get(..size).unwrap_or(strings),
        None => strings,
    };
    for entry in entries {
        let text = || bytes::c_str(strings, bytes::index(entry.d_val.get(Le))?);
        match entry.d_tag.get(Le) {
            elf::DT_NEEDED => found.needed.extend(text()),
            elf::DT_SONAME => found.soname = text(),
            elf::DT_RPATH => found.rpath = text(),
            elf::DT_RUNPATH => found.runpath = text(),
            _ => {}
        }
    }
    found
}

fn interpreter(image: &Image) -> Option<&str> {
    let all = image.bytes();
    let headers = elf::FileHeader64::<Le>::parse(all).ok()?.program_headers(Le, all).ok()?;
    let path = headers.iter().find_map(|p| p.interpreter(Le, all).ok().flatten())?;
    std::str::from_utf8(path).ok()
}

/// The entries of `PT_DYNAMIC`, up to the one that ends them.
pub(crate) fn entries(image: &Image) -> Option<&[Dyn64<Le>]> {
    let all = image.bytes();
    let headers = elf::FileHeader64::<Le>::parse(all).ok()?.program_headers(Le, all).ok()?;
    let entries = headers.iter().find_map(|p| p.dynamic(Le, all).ok().flatten())?;
    let end = entries.iter().position(|e| e.d_tag.get(Le) == elf::DT_NULL).unwrap_or(entries.len());
    entries.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Where the file is loaded.
    const BASE: u64 = 0x40_0000;

    /// A file with three program headers: all of it is loaded, its interpreter, its dynamic entries; then these and their strings.
    fn file() -> Vec<u8> {
        let strings = b"\0liba.so.1\0/opt/lib\0$ORIGIN/../lib:/x\0libme.so\0libb.so\0";
        let at = |text: &[u8]| {
            strings.windows(text.len()).position(|w| w == text).expect("one of the strings") as u64
        };
        let (interpreter, entries) = (64 + 3 * 56, 64 + 3 * 56 + 16);
        let dynamic: Vec<(i64, u64)> = vec![
            (elf::DT_NEEDED, at(b"liba.so.1")),
            (elf::DT_NEEDED, at(b"libb.so")),
            (elf::DT_STRTAB, BASE + entries + 9 * 16),
            (elf::DT_STRSZ, strings.len() as u64),
            (elf::DT_SONAME, at(b"libme.so")),
            (elf::DT_RPATH, at(b"/opt/lib")),
            (elf::DT_RUNPATH, at(b"$ORIGIN")),
            (elf::DT_NULL, 0),
            (elf::DT_NEEDED, at(b"libb.so")),
        ];
        let size = entries + 9 * 16 + strings.len() as u64;
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
        file.extend([BASE, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
        file.extend([0, 0, 0, 0, 64, 0, 56, 0, 3, 0, 64, 0, 0, 0, 0, 0]);
        let headers = [
            (elf::PT_LOAD, 0, size),
            (elf::PT_INTERP, interpreter, 9),
            (elf::PT_DYNAMIC, entries, dynamic.len() as u64 * 16),
        ];
        for (kind, offset, size) in headers {
            let words = [u64::from(kind) | 4 << 32, offset, BASE + offset, BASE + offset, size, size, 8];
            file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        file.extend(b"/lib/ld.\0\0\0\0\0\0\0\0");
        file.extend(
            dynamic.iter().flat_map(|(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()].concat()),
        );
        file.extend(strings);
        file
    }

    #[test]
    fn names_and_folders() {
        let image = Image::parse(file(), Path::new("made")).expect("a file");
        let expected = Dynamic {
            interpreter: Some("/lib/ld."),
            needed: vec!["liba.so.1", "libb.so"],
            soname: Some("libme.so"),
            rpath: Some("/opt/lib"),
            runpath: Some("$ORIGIN/../lib:/x"),
        };
        assert_eq!(read(&image), expected);
    }

    #[test]
    fn damage_is_no_danger() {
        let whole = file();
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                if let Ok(image) = Image::parse(bytes, Path::new("made")) {
                    assert!(read(&image).needed.len() <= 9);
                }
            }
            if let Ok(image) = Image::parse(whole[..at].to_vec(), Path::new("made")) {
                assert!(read(&image).needed.len() <= 2);
            }
        }
    }
}
