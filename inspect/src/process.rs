//! From an address in a process to a place in a file: the first half of user-space symbolization. The second
//! half is [`crate::elf::Binary`] and [`crate::go`].

use std::path::PathBuf;

use crate::error::Error;
use crate::proc::{Mapping, Process};

/// The memory mappings of a process at one moment, for many lookups.
#[derive(Debug, Clone, Default)]
pub struct AddressSpace {
    /// Executable mappings and others, in order of address.
    mappings: Vec<Mapping>,
}

/// Where an address of a process is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The mapping that contains the address.
    pub mapping: &'a Mapping,
    /// Offset in the file: [`crate::elf::Binary::vaddr_of_offset`] makes a vaddr of it.
    pub offset: u64,
}

impl AddressSpace {
    /// Reads the mappings of a process.
    ///
    /// # Errors
    /// When the process is gone or not readable.
    pub fn of(process: &Process) -> Result<AddressSpace, Error> {
        Ok(AddressSpace::new(process.maps()?))
    }

    /// An address space of given mappings.
    pub fn new(mut mappings: Vec<Mapping>) -> AddressSpace {
        mappings.sort_by_key(|m| m.start);
        AddressSpace { mappings }
    }

    /// The mapping that contains `addr`, of a file or not.
    pub fn mapping(&self, addr: u64) -> Option<&Mapping> {
        let after = self.mappings.partition_point(|m| m.start <= addr);
        self.mappings.get(..after)?.last().filter(|m| addr < m.end)
    }

    /// Where `addr` is in a mapped file; `None` for memory without one.
    pub fn locate(&self, addr: u64) -> Option<Place<'_>> {
        let mapping = self.mapping(addr).filter(|m| m.is_file())?;
        Some(Place { mapping, offset: mapping.file_offset(addr)? })
    }

    /// Distinct mapped files with executable parts, as this program can open them: what to search for symbols
    /// and USDT notes.
    pub fn executable_files(&self, process: &Process) -> Vec<PathBuf> {
        let code = self.mappings.iter().filter(|m| m.executable);
        let mut files: Vec<PathBuf> = code.filter_map(|m| process.mapped_file(m)).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// What to add to vaddrs of a file to get addresses of this process: 0 for files that are not
    /// position-independent. `segment_vaddr` and `segment_offset` are those of the file's executable segment,
    /// `device_inode` its identity in the mappings.
    pub fn load_bias(&self, segment_vaddr: u64, segment_offset: u64, inode: u64) -> Option<u64> {
        let contains = |m: &&Mapping| m.executable && m.inode == inode && m.offset <= segment_offset;
        let mapping = self.mappings.iter().filter(contains).max_by_key(|m| m.offset)?;
        let addr = mapping.start.checked_add(segment_offset - mapping.offset)?;
        Some(addr.wrapping_sub(segment_vaddr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proc::parse_maps;

    fn space() -> AddressSpace {
        AddressSpace::new(parse_maps(
            "\
7f0000001000-7f0000003000 r-xp 00001000 08:02 7 /usr/lib/libx.so
7f0000000000-7f0000001000 r--p 00000000 08:02 7 /usr/lib/libx.so
7f0000004000-7f0000005000 rw-p 00000000 00:00 0
",
        ))
    }

    #[test]
    fn locate() {
        let space = space();
        let at = |addr| space.locate(addr).map(|p| (p.mapping.path.as_deref(), p.offset));
        assert_eq!(at(0x7f00_0000_1010), Some((Some("/usr/lib/libx.so"), 0x1010)));
        assert_eq!(at(0x7f00_0000_0010), Some((Some("/usr/lib/libx.so"), 0x10)));
        assert_eq!(at(0x7f00_0000_3000), None);
        assert_eq!(at(0x7f00_0000_4000), None);
        assert!(space.mapping(0x7f00_0000_4000).is_some());
        assert_eq!(at(0), None);
    }

    #[test]
    fn bias() {
        // A segment with vaddr 0x1000 at file offset 0x1000, loaded at 0x7f0000001000.
        assert_eq!(space().load_bias(0x1000, 0x1000, 7), Some(0x7f00_0000_0000));
        assert_eq!(space().load_bias(0x1000, 0x1000, 8), None);
    }

    #[test]
    fn files_of_this_process() {
        let me = Process::new(std::process::id());
        let files = AddressSpace::of(&me).expect("own maps").executable_files(&me);
        assert!(files.iter().any(|f| f.exists()));
    }
}
