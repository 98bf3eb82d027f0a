//! An ELF file as a memory image: segments, sections, addresses and words. Pure: bytes in, facts out;
//! [`crate::elf::Binary`] opens files, `symbols.rs` reads symbol tables and [`crate::go`] reads what Go
//! adds.
//!
//! Layouts are those of the ELF-64 specification as declared by the `object` crate. Only 64-bit little-endian
//! files for x86-64 and AArch64 are accepted. Program headers must be right; a file with damaged or absent
//! section headers is still usable (stripped of its section table, a Go binary keeps its function table).

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use object::LittleEndian as Le;
use object::elf;
use object::pod;
use object::read::SectionIndex;
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _};

use crate::bytes;
use crate::dynamic;
use crate::error::Error;
use crate::mmap::Data;
use crate::symbols::Symbols;

type Header = elf::FileHeader64<Le>;

/// Machine of a binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64 (`EM_X86_64`).
    X86_64,
    /// 64-bit Arm (`EM_AARCH64`).
    Aarch64,
}

impl Arch {
    /// The machine this program was compiled for, if it is one of those supported.
    pub const fn host() -> Option<Arch> {
        if cfg!(target_arch = "x86_64") {
            Some(Arch::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Arch::Aarch64)
        } else {
            None
        }
    }
}

/// A loadable segment (`PT_LOAD`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// First address.
    pub vaddr: u64,
    /// Bytes in memory.
    pub mem_size: u64,
    /// Where its bytes start in the file.
    pub offset: u64,
    /// Bytes in the file; the rest of the memory is zero.
    pub file_size: u64,
    /// Whether instructions may be executed from it.
    pub executable: bool,
    /// Whether the program may write to it (before RELRO protection).
    pub writable: bool,
}

/// The thread-local storage template (`PT_TLS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsSegment {
    /// Address of the template.
    pub vaddr: u64,
    /// Bytes per thread.
    pub mem_size: u64,
    /// Alignment (at least 1).
    pub align: u64,
}

/// A named section with file contents.
#[derive(Debug, Clone)]
pub struct Section {
    /// Name, for example `.gopclntab`.
    pub name: String,
    /// Address, 0 for sections that are not loaded.
    pub vaddr: u64,
    /// Place in the file (empty for `SHT_NOBITS`).
    pub file: Range<usize>,
    /// Whether those bytes are an `Elf64_Chdr` and a compressed stream (`SHF_COMPRESSED`).
    pub compressed: bool,
}

/// Bytes within which the name of a section must end. Damaged headers could have one long name all of them.
const SECTION_NAME: usize = 256;
/// Loadable segments that a file may have; linkers make less than ten. Every read looks through them.
const SEGMENTS: usize = 64;

/// A parsed ELF file that owns its bytes.
#[derive(Debug)]
pub struct Image {
    data: Data,
    arch: Arch,
    position_independent: bool,
    has_interpreter: bool,
    entry: u64,
    segments: Vec<Segment>,
    tls: Option<TlsSegment>,
    sections: Vec<Section>,
    build_id: Option<Vec<u8>>,
    eh_frame_index: Option<u64>,
    relocations: OnceLock<Vec<Relocation>>,
    symbols: Symbols,
}

/// A `R_*_RELATIVE` relocation: the word at `vaddr` becomes `addend` plus the load bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Relocation {
    pub(crate) vaddr: u64,
    pub(crate) addend: u64,
}

impl Image {
    /// Parses a file's bytes; `path` is for error texts only.
    ///
    /// # Errors
    /// [`Error::NotElf`], [`Error::Unsupported`], or [`Error::Damaged`] when header or program headers cannot
    /// be read.
    pub fn parse(bytes: Vec<u8>, path: &Path) -> Result<Image, Error> {
        Image::from_data(Data::Owned(bytes), path)
    }

    pub(crate) fn from_data(data: Data, path: &Path) -> Result<Image, Error> {
        let all = data.bytes();
        let arch = identify(all, path)?;
        let damaged = |what: &str| Error::damaged(path, what);
        let header = Header::parse(all).map_err(|_| damaged("ELF header cut short"))?;
        let program = header.program_headers(Le, all).map_err(|_| damaged("program headers cut short"))?;

        let mut segments = Vec::new();
        let mut tls = None;
        let mut has_interpreter = false;
        let mut eh_frame_index = None;
        for p in program {
            match p.p_type(Le) {
                elf::PT_INTERP => has_interpreter = true,
                elf::PT_GNU_EH_FRAME => eh_frame_index = Some(p.p_vaddr(Le)),
                elf::PT_LOAD => segments.push(Segment {
                    vaddr: p.p_vaddr(Le),
                    mem_size: p.p_memsz(Le),
                    offset: p.p_offset(Le),
                    file_size: p.p_filesz(Le),
                    executable: p.p_flags(Le) & elf::PF_X != 0,
                    writable: p.p_flags(Le) & elf::PF_W != 0,
                }),
                elf::PT_TLS => {
                    tls = Some(TlsSegment {
                        vaddr: p.p_vaddr(Le),
                        mem_size: p.p_memsz(Le),
                        align: p.p_align(Le).max(1),
                    });
                }
                _ => {}
            }
        }
        if segments.len() > SEGMENTS {
            return Err(damaged("more loadable segments than any program has"));
        }
        let build_id = program.iter().find_map(|p| build_id(p, all));
        let symbols = Symbols::locate(header, all);
        Ok(Image {
            arch,
            position_independent: header.e_type(Le) == elf::ET_DYN,
            has_interpreter,
            entry: header.e_entry(Le),
            segments,
            tls,
            sections: sections(header, all),
            build_id,
            eh_frame_index,
            relocations: OnceLock::new(),
            symbols,
            data,
        })
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        self.data.bytes()
    }

    /// Machine of the file.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Whether the file may be loaded anywhere (`ET_DYN`: PIE or shared object).
    pub fn is_position_independent(&self) -> bool {
        self.position_independent
    }

    /// Entry point (vaddr). With the run-time entry from the auxiliary vector it gives the load bias.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Loadable segments in file order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The thread-local storage template, if the file has one.
    pub fn tls(&self) -> Option<TlsSegment> {
        self.tls
    }

    /// The linker's build id (`NT_GNU_BUILD_ID`).
    pub fn build_id(&self) -> Option<&[u8]> {
        self.build_id.as_deref()
    }

    /// Address of the index of `.eh_frame` (`PT_GNU_EH_FRAME`), which tells where that is in files without a section table.
    pub fn eh_frame_index(&self) -> Option<u64> {
        self.eh_frame_index
    }

    /// Sections in file order; empty when the section table is absent or damaged.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section called `name`.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// The bytes of a section, as they stand in the file (compressed sections are not expanded).
    pub fn section_bytes(&self, name: &str) -> Option<&[u8]> {
        self.bytes().get(self.section(name)?.file.clone())
    }

    /// File offset of the byte at `vaddr`; `None` outside the file-backed part of the loadable segments.
    pub fn file_offset(&self, vaddr: u64) -> Option<u64> {
        self.segments.iter().find_map(|s| {
            let delta = vaddr.checked_sub(s.vaddr)?;
            (delta < s.file_size).then(|| s.offset.checked_add(delta))?
        })
    }

    /// Address of the byte at a file offset: the inverse of [`Image::file_offset`]. An executable segment
    /// wins where segments share a page of the file.
    pub fn vaddr_of_offset(&self, offset: u64) -> Option<u64> {
        let hit = |s: &&Segment| offset.checked_sub(s.offset).is_some_and(|delta| delta < s.file_size);
        let segment = self
            .segments
            .iter()
            .filter(|s| s.executable)
            .find(hit)
            .or_else(|| self.segments.iter().find(hit))?;
        segment.vaddr.checked_add(offset - segment.offset)
    }

    /// The file offset that the kernel's `mm_struct.start_code` stands for in processes that run this file: what is added to it to come
    /// to an address of the segment of `vaddr` is added to this to come to the file offset. `None` for what is no program, and for
    /// position-independent programs without an interpreter, which cannot be told from shared objects.
    ///
    /// The kernel takes the lowest address of the executable segments (`load_elf_binary` in fs/binfmt_elf.c).
    pub fn code_start(&self, vaddr: u64) -> Option<u64> {
        if self.position_independent && !self.has_interpreter {
            return None;
        }
        let code = || self.segments.iter().filter(|s| s.executable);
        let start = code().map(|s| s.vaddr).min()?;
        let segment = code().find(|s| vaddr.checked_sub(s.vaddr).is_some_and(|d| d < s.file_size))?;
        segment.offset.checked_sub(segment.vaddr - start)
    }

    /// `len` bytes at `vaddr`, as they stand in the file.
    pub fn read(&self, vaddr: u64, len: usize) -> Option<&[u8]> {
        self.tail(vaddr)?.get(..len)
    }

    /// The bytes from `vaddr` to the end of its segment in the file.
    pub fn tail(&self, vaddr: u64) -> Option<&[u8]> {
        let segment = self
            .segments
            .iter()
            .find(|s| vaddr.checked_sub(s.vaddr).is_some_and(|delta| delta < s.file_size))?;
        let end = bytes::index(segment.offset.checked_add(segment.file_size)?)?.min(self.bytes().len());
        let start = bytes::index(segment.offset.checked_add(vaddr - segment.vaddr)?)?;
        self.bytes().get(start..end)
    }

    /// The 64-bit word at `vaddr` as the program sees it before the load bias is added: a word that the
    /// dynamic loader fills (`R_*_RELATIVE`) has the relocation's addend.
    pub fn read_word(&self, vaddr: u64) -> Option<u64> {
        if self.position_independent {
            let relocations = self.relocations();
            if let Ok(at) = relocations.binary_search_by_key(&vaddr, |r| r.vaddr) {
                return relocations.get(at).map(|r| r.addend);
            }
        }
        bytes::u64(self.read(vaddr, 8)?, 0)
    }

    /// `RELATIVE` relocations by address. Compact ones (`DT_RELR`) keep their addend in place and need no
    /// entry here.
    pub(crate) fn relocations(&self) -> &[Relocation] {
        self.relocations.get_or_init(|| {
            let mut found = read_relocations(self).unwrap_or_default();
            if !found.is_sorted() {
                found.sort_unstable();
            }
            found
        })
    }

    pub(crate) fn symbols(&self) -> &Symbols {
        &self.symbols
    }
}

/// Checks magic, class, byte order and machine, in the order in which a user should hear of them.
fn identify(data: &[u8], path: &Path) -> Result<Arch, Error> {
    let unsupported =
        |what: &str| Err(Error::Unsupported { path: path.to_path_buf(), what: what.to_string() });
    if !data.starts_with(&elf::ELFMAG) {
        return Err(Error::NotElf { path: path.to_path_buf() });
    }
    match (bytes::u8(data, 4), bytes::u8(data, 5)) {
        (Some(elf::ELFCLASS32), _) => return unsupported("32-bit"),
        (Some(elf::ELFCLASS64), Some(elf::ELFDATA2MSB)) => return unsupported("big-endian"),
        (Some(elf::ELFCLASS64), Some(elf::ELFDATA2LSB)) => {}
        _ => return Err(Error::damaged(path, "unknown ELF class or byte order")),
    }
    // e_machine stands at 18 in both classes.
    match bytes::u16(data, 18) {
        Some(elf::EM_X86_64) => Ok(Arch::X86_64),
        Some(elf::EM_AARCH64) => Ok(Arch::Aarch64),
        Some(other) => unsupported(&format!("machine {other} (not x86-64 or AArch64)")),
        None => Err(Error::damaged(path, "ELF header cut short")),
    }
}

fn sections(header: &Header, data: &[u8]) -> Vec<Section> {
    let Ok(table) = header.sections(Le, data) else { return Vec::new() };
    let names =
        header.shstrndx(Le, data).ok().and_then(|index| table.section(SectionIndex(index as usize)).ok());
    let names = names.and_then(|section| section.data(Le, data).ok()).unwrap_or_default();
    let describe = |s: &elf::SectionHeader64<Le>| {
        let tail = names.get(s.sh_name(Le) as usize..)?;
        let name = bytes::c_str(tail.get(..SECTION_NAME).unwrap_or(tail), 0)?.to_string();
        let file = match s.file_range(Le) {
            Some((offset, size)) => bytes::index(offset)?..bytes::index(offset.checked_add(size)?)?,
            None => 0..0,
        };
        let compressed = s.sh_flags(Le) & u64::from(elf::SHF_COMPRESSED) != 0;
        Some(Section { name, vaddr: s.sh_addr(Le), file, compressed })
    };
    table.iter().filter_map(describe).collect()
}

fn build_id(p: &elf::ProgramHeader64<Le>, data: &[u8]) -> Option<Vec<u8>> {
    let mut notes = p.notes(Le, data).ok()??;
    while let Ok(Some(note)) = notes.next() {
        if note.name() == elf::ELF_NOTE_GNU && note.n_type(Le) == elf::NT_GNU_BUILD_ID {
            return Some(note.desc().to_vec());
        }
    }
    None
}

/// Relocations as the dynamic loader finds them: `DT_RELA` and `DT_RELASZ` of `PT_DYNAMIC`.
fn read_relocations(image: &Image) -> Option<Vec<Relocation>> {
    let dynamic = dynamic::entries(image)?;
    let value = |tag: i64| dynamic.iter().find(|d| d.d_tag.get(Le) == tag).map(|d| d.d_val.get(Le));
    let table = image.tail(value(elf::DT_RELA)?)?;
    let count = bytes::index(value(elf::DT_RELASZ)?)? / size_of::<elf::Rela64<Le>>();
    let (entries, _) = pod::slice_from_bytes::<elf::Rela64<Le>>(table, count).ok()?;
    let relative = match image.arch {
        Arch::X86_64 => elf::R_X86_64_RELATIVE,
        Arch::Aarch64 => elf::R_AARCH64_RELATIVE,
    };
    let wanted = entries.iter().filter(|r| r.r_type(Le, false) == relative);
    Some(
        wanted
            .map(|r| Relocation { vaddr: r.r_offset.get(Le), addend: r.r_addend.get(Le).cast_unsigned() })
            .collect(),
    )
}
