//! The dynamic linker's list of libraries, `/etc/ld.so.cache`: names and paths. Only the format that glibc writes since 2.2 is read
//! (`struct cache_file_new` and `file_entry_new`, sysdeps/generic/dl-cache.h of glibc); an older one may stand before it in the file.

use crate::bytes;
use crate::elf::Arch;

/// Where it is.
pub const PATH: &str = "/etc/ld.so.cache";

/// Starts the list.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// Bytes before the first entry.
const HEADER: usize = 48;
/// Bytes of an entry: flags, offsets of name and path from the start of the list, the oldest system, and hardware.
const ENTRY: usize = 24;

/// What the flags of an entry say of its machine (`FLAG_ELF_LIBC6` with `FLAG_X8664_LIB64`, `FLAG_AARCH64_LIB64`).
fn flags(arch: Arch) -> u32 {
    match arch {
        Arch::X86_64 => 0x0303,
        Arch::Aarch64 => 0x0a03,
    }
}

/// The libraries for a machine, names and paths, in the order of the file. None if the file is not understood.
pub fn libraries(file: &[u8], arch: Arch) -> Vec<(&str, &str)> {
    let Some(start) = file.windows(MAGIC.len()).position(|w| w == MAGIC) else { return Vec::new() };
    let list = file.get(start..).unwrap_or_default();
    let count = bytes::u32(list, MAGIC.len()).unwrap_or(0) as usize;
    let text = |at: usize| bytes::c_str(list, bytes::u32(list, at)? as usize);
    let entry = |n: usize| {
        let at = HEADER + n * ENTRY;
        (bytes::u32(list, at)? == flags(arch)).then(|| Some((text(at + 4)?, text(at + 8)?)))?
    };
    // The count is not to be trusted; there cannot be more than the file has room for.
    (0..count.min(list.len() / ENTRY)).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of three libraries, the second for another machine.
    fn file() -> Vec<u8> {
        let libraries = [
            ("liba.so.1", "/lib/liba.so.1", 0x0303u32),
            ("libb.so", "/lib32/libb.so", 3),
            ("libb.so", "/lib/libb.so", 0x0303),
        ];
        let mut file = b"ld.so-1.7.0\0older".to_vec();
        let mut list = MAGIC.to_vec();
        list.extend(3u32.to_le_bytes());
        list.resize(HEADER, 0);
        let mut strings = Vec::new();
        for (name, path, flags) in libraries {
            let at = |strings: &Vec<u8>| (HEADER + 3 * ENTRY + strings.len()) as u32;
            let name_at = at(&strings);
            strings.extend(name.bytes().chain([0]));
            let path_at = at(&strings);
            strings.extend(path.bytes().chain([0]));
            for word in [flags, name_at, path_at, 0, 0, 0] {
                list.extend(word.to_le_bytes());
            }
        }
        list.extend(strings);
        file.extend(list);
        file
    }

    #[test]
    fn libraries_of_the_machine() {
        assert_eq!(
            libraries(&file(), Arch::X86_64),
            [("liba.so.1", "/lib/liba.so.1"), ("libb.so", "/lib/libb.so")]
        );
        assert!(libraries(&file(), Arch::Aarch64).is_empty());
    }

    #[test]
    fn damage_is_no_danger() {
        let whole = file();
        for end in 0..whole.len() {
            assert!(libraries(&whole[..end], Arch::X86_64).len() <= 2);
        }
        assert!(libraries(b"", Arch::X86_64).is_empty());
    }
}
