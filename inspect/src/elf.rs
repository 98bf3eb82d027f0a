//! An ELF file on disk: opening it, its identity, and the questions that the rest of the tracer asks about
//! it. The parsing itself is in [`crate::image`] and `symbols.rs`; Go facts are found on demand by
//! [`crate::go`].

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub use crate::image::{Arch, Section, Segment, TlsSegment};
pub use crate::symbols::{Symbol, SymbolKind};

use crate::archive;
use crate::bytes;
use crate::error::Error;
use crate::go::GoBinary;
use crate::image::Image;
use crate::mmap::Data;
use crate::native::DebugSections;
use crate::separate::Separate;

/// Identity of a file on this machine: what `/proc/PID/maps` shows for its mappings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Device number, as `stat(2)` encodes it.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// An opened executable or shared object. Opening reads only the headers; symbols and Go facts are indexed on
/// first use.
#[derive(Debug)]
pub struct Binary {
    path: PathBuf,
    id: Option<FileId>,
    /// Where it starts in the file; not 0 for a member of an archive.
    start: u64,
    image: Arc<Image>,
    go: OnceLock<Result<Option<GoBinary>, Error>>,
    debug: DebugSections,
    /// The file that holds the debug information of a stripped binary.
    separate: OnceLock<Option<Separate>>,
    /// The file that holds what several share.
    shared: OnceLock<Option<Separate>>,
}

impl Binary {
    /// Opens and maps the file at `path`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Permission`], [`Error::Io`]; [`Error::NotElf`] for other files;
    /// [`Error::Unsupported`] for 32-bit or big-endian files and other machines; [`Error::Damaged`].
    pub fn open(path: impl AsRef<Path>) -> Result<Binary, Error> {
        let path = path.as_ref();
        let (file, id) = open(path)?;
        let data = Data::of_file(&file).map_err(|e| Error::io(path, e))?;
        Ok(Binary::new(Image::from_data(data, path)?, path, Some(id)))
    }

    /// Opens a member of the archive at `path`, which is stored in it as it is: [`Binary::path`] is that of the archive, and file offsets
    /// are in the archive.
    ///
    /// # Errors
    /// As [`Binary::open`], and [`Error::Member`].
    pub fn open_member(path: impl AsRef<Path>, member: &str) -> Result<Binary, Error> {
        let path = path.as_ref();
        let refused = |reason| Error::Member { path: path.to_path_buf(), member: member.to_owned(), reason };
        let shown = PathBuf::from(format!("{}{}{member}", path.display(), archive::SEPARATOR));
        Binary::open_part(path, &shown, |archive| archive::find(archive, member).map_err(refused))
    }

    /// Opens the member of the archive at `path` that has the byte at an offset.
    ///
    /// # Errors
    /// As [`Binary::open`]; [`Error::NotElf`] if there is no such member.
    pub fn open_member_at(path: impl AsRef<Path>, offset: u64) -> Result<Binary, Error> {
        let path = path.as_ref();
        Binary::open_part(path, path, |archive| {
            let found = bytes::index(offset).and_then(|offset| archive::at(archive, offset));
            found.ok_or_else(|| Error::NotElf { path: path.to_path_buf() })
        })
    }

    /// Opens a part of a file, which errors call `shown`.
    fn open_part(
        path: &Path,
        shown: &Path,
        find: impl Fn(&[u8]) -> Result<Range<usize>, Error>,
    ) -> Result<Binary, Error> {
        let io = |e| Error::io(path, e);
        let (file, id) = open(path)?;
        let part = find(Data::of_file(&file).map_err(io)?.bytes())?;
        let start = part.start as u64;
        let data = Data::of_part(&file, part).map_err(io)?;
        Ok(Binary { start, ..Binary::new(Image::from_data(data, shown)?, path, Some(id)) })
    }

    /// A binary from bytes in memory. `path` names it in error texts.
    ///
    /// # Errors
    /// As [`Binary::open`], without those of the file system.
    pub fn from_bytes(bytes: Vec<u8>, path: impl AsRef<Path>) -> Result<Binary, Error> {
        let path = path.as_ref();
        Ok(Binary::new(Image::parse(bytes, path)?, path, None))
    }

    fn new(image: Image, path: &Path, id: Option<FileId>) -> Binary {
        Binary {
            path: path.to_path_buf(),
            id,
            start: 0,
            image: Arc::new(image),
            go: OnceLock::new(),
            debug: DebugSections::default(),
            separate: OnceLock::new(),
            shared: OnceLock::new(),
        }
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode; `None` for bytes in memory.
    pub fn id(&self) -> Option<FileId> {
        self.id
    }

    /// The linker's build id (`NT_GNU_BUILD_ID`); Go's internal linker writes one since 1.24.
    pub fn build_id(&self) -> Option<&[u8]> {
        self.image.build_id()
    }

    /// Machine of the file.
    pub fn arch(&self) -> Arch {
        self.image.arch()
    }

    /// Whether the file may be loaded anywhere (`ET_DYN`): addresses then need the load bias.
    pub fn is_pie(&self) -> bool {
        self.image.is_position_independent()
    }

    /// The parsed file: segments, sections and bytes.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The file that has the debug information, and its sections: this one, or one beside it.
    pub(crate) fn debug_info(&self) -> (&Image, &DebugSections) {
        match self.separate() {
            Some(separate) if !DebugSections::are_in(&self.image) => (&separate.image, &separate.sections),
            _ => (&self.image, &self.debug),
        }
    }

    /// The file that the debug information refers to for what it shares with others.
    pub(crate) fn shared_debug_info(&self) -> Option<(&Image, &DebugSections)> {
        let find = || match self.separate() {
            Some(separate) if !DebugSections::are_in(&self.image) => {
                Separate::shared(&separate.path, &separate.image)
            }
            _ => Separate::shared(&self.path, &self.image),
        };
        self.shared.get_or_init(find).as_ref().map(|shared| (&shared.image, &shared.sections))
    }

    /// The file with what was stripped from this one; none is looked for if nothing was.
    fn separate(&self) -> Option<&Separate> {
        let find = || {
            let complete = self.image.symbols().are_all() && DebugSections::are_in(&self.image);
            // What is only in memory has no file beside it.
            if complete || self.id.is_none() { None } else { Separate::of(&self.path, &self.image) }
        };
        self.separate.get_or_init(find).as_ref()
    }

    /// Whether all symbols are known, in the binary or in the file that was separated from it, and not only those of the dynamic linker.
    pub fn has_all_symbols(&self) -> bool {
        self.with_symbols().symbols().are_all()
    }

    /// The file that has the symbols.
    fn with_symbols(&self) -> &Image {
        if self.image.symbols().are_all() {
            return &self.image;
        }
        let separate = self.separate().filter(|separate| separate.image.symbols().are_all());
        separate.map_or(&self.image, |separate| &separate.image)
    }

    /// See [`Image::file_offset`]; of a member, the offset in the archive.
    pub fn file_offset(&self, vaddr: u64) -> Option<u64> {
        self.image.file_offset(vaddr)?.checked_add(self.start)
    }

    /// See [`Image::vaddr_of_offset`]; of a member, by the offset in the archive.
    pub fn vaddr_of_offset(&self, offset: u64) -> Option<u64> {
        self.image.vaddr_of_offset(offset.checked_sub(self.start)?)
    }

    /// See [`Image::read`].
    pub fn read(&self, vaddr: u64, len: usize) -> Option<&[u8]> {
        self.image.read(vaddr, len)
    }

    /// See [`Image::read_word`].
    pub fn read_word(&self, vaddr: u64) -> Option<u64> {
        self.image.read_word(vaddr)
    }

    /// All function symbols, in order of address: `.symtab`, also of a file with debug information beside this one, and those of
    /// `.dynsym` at other addresses. Aliases are separate items. Names that are not UTF-8 are left out.
    pub fn functions(&self) -> impl Iterator<Item = Symbol<'_>> {
        let image = self.with_symbols();
        image.symbols().functions(image.bytes())
    }

    /// The symbol called `name`, of any kind (function, variable, thread-local variable).
    pub fn symbol(&self, name: &str) -> Option<Symbol<'_>> {
        let found = |image: &'_ Image| image.symbols().by_name(image.bytes(), name).is_some();
        let image = if found(&self.image) { &self.image } else { self.with_symbols() };
        image.symbols().by_name(image.bytes(), name)
    }

    /// The function symbol that covers `vaddr`. For Go code without symbols see [`GoBinary::function_at`].
    pub fn symbolize(&self, vaddr: u64) -> Option<Symbol<'_>> {
        // The last symbol may have no size, and then no end.
        let loaded = |s: &&Segment| vaddr.checked_sub(s.vaddr).is_some_and(|at| at < s.mem_size);
        self.image.segments().iter().find(loaded)?;
        let image = self.with_symbols();
        image.symbols().by_address(image.bytes(), vaddr)
    }

    /// What the binary is as a Go program; `None` when it is not one. Found on the first call.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a Go binary whose tables cannot be understood.
    pub fn go(&self) -> Result<Option<&GoBinary>, Error> {
        match self.go.get_or_init(|| GoBinary::detect(&self.image, &self.path)) {
            Ok(found) => Ok(found.as_ref()),
            Err(error) => Err(error.clone()),
        }
    }
}

/// Opens what may be a binary.
fn open(path: &Path) -> Result<(File, FileId), Error> {
    let io = |e| Error::io(path, e);
    let file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if meta.is_dir() {
        return Err(Error::NotElf { path: path.to_path_buf() });
    }
    Ok((file, FileId { device: meta.dev(), inode: meta.ino() }))
}
