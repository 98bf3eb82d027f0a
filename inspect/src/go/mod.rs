//! Facts of a Go binary, from the tables that the Go linker always writes: they are there in stripped,
//! position-independent and cgo binaries too. No DWARF and no symbol table is needed; symbol names are used
//! where they say more. The one exception are the types of parameters and results ([`signature`]), for which
//! there must be DWARF.
//!
//! [`GoBinary`] is the whole program, [`GoFunc`] one function of it. Facts are found when asked for; opening
//! reads headers only.
//!
//! Releases 1.15, 1.19 and 1.21 to 1.27 were measured; those between follow the layouts declared in their
//! sources. A newer release is read with the newest known layouts, and [`GoBinary::release_is_guessed`] says
//! so.

pub mod abi;
pub mod assign;
pub mod buildinfo;
pub(crate) mod code;
pub(crate) mod dwarf;
#[cfg(test)]
mod fixture;
mod function;
pub mod goroutine;
mod inline;
mod lines;
pub mod map;
mod moduledata;
mod pclntab;
pub mod prologue;
pub mod returns;
mod rtype;
pub mod shape;
pub mod signature;
mod spelling;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod types;
pub mod version;
mod waitreason;
pub mod wrapper;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub use function::{FuncFlags, GoFunc};
pub use inline::Frame;
pub use lines::{LineSite, SourceLine};
pub use moduledata::{ModuleData, TypeList};
pub use pclntab::Format;
pub use shape::ArgumentShape;
pub use signature::Signature;

use crate::elf::Arch;
use crate::error::Error;
use crate::image::Image;
use buildinfo::BuildInfo;
use dwarf::DebugInfo;
use goroutine::GoroutineOffsets;
use pclntab::Pclntab;
use rtype::RuntimeTypes;
use version::{GoVersion, Release};

/// The newest release whose layouts are known.
pub const NEWEST: Release = Release(27);

/// A Go program or library.
#[derive(Debug)]
pub struct GoBinary {
    image: Arc<Image>,
    build: Option<BuildInfo>,
    version: Option<GoVersion>,
    release: Release,
    release_is_guessed: bool,
    table: Pclntab,
    module: ModuleData,
    inlined: OnceLock<inline::Index>,
    /// Names of functions, as [`signature`] needs them.
    loops_over_functions: OnceLock<HashSet<String>>,
    debug_info: DebugInfo,
    runtime_types: RuntimeTypes,
    wait_reasons: OnceLock<Vec<String>>,
    /// For error texts.
    path: PathBuf,
}

impl GoBinary {
    /// Looks for Go's tables; `None` when the file shows no sign of Go.
    pub(crate) fn detect(image: &Arc<Image>, path: &Path) -> Result<Option<GoBinary>, Error> {
        let build = BuildInfo::find(image);
        // Without section headers nothing says that this is not Go: the search of the segments decides.
        let go_section = |name: &str| name.contains("gopclntab") || name == ".go.buildinfo";
        let sections = image.sections();
        if build.is_none() && !sections.is_empty() && !sections.iter().any(|s| go_section(&s.name)) {
            return Ok(None);
        }
        let version = build.as_ref().and_then(|b| GoVersion::parse(&b.version));
        let mut looked_at = None;
        for table in Pclntab::candidates(image) {
            let (release, release_is_guessed) = release_of(version.as_ref(), table.format());
            looked_at = Some(table.vaddr());
            if let Some(module) = ModuleData::find(image, &table, release) {
                let table = table.with_text(module.text);
                if !table.is_ordered(image) {
                    return Err(Error::damaged(path, "the Go function table is not in order of address"));
                }
                return Ok(Some(GoBinary {
                    image: Arc::clone(image),
                    build,
                    version,
                    release,
                    release_is_guessed,
                    table,
                    module,
                    inlined: OnceLock::new(),
                    loops_over_functions: OnceLock::new(),
                    debug_info: DebugInfo::default(),
                    runtime_types: RuntimeTypes::default(),
                    wait_reasons: OnceLock::new(),
                    path: path.to_path_buf(),
                }));
            }
        }
        match (looked_at, build) {
            (Some(at), _) => Err(Error::damaged(
                path,
                format!("no Go module data points to the function table at {at:#x}"),
            )),
            (None, Some(build)) => Err(Error::damaged(
                path,
                format!("built by {} but without a Go function table", build.version),
            )),
            (None, None) => Ok(None),
        }
    }

    /// Build information, when the binary has it.
    pub fn build_info(&self) -> Option<&BuildInfo> {
        self.build.as_ref()
    }

    /// Toolchain version; `None` when absent or unreadable.
    pub fn version(&self) -> Option<&GoVersion> {
        self.version.as_ref()
    }

    /// The release whose layouts are used for this binary.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Whether [`GoBinary::release`] is a guess: the version is unknown, newer than [`NEWEST`], or a
    /// development build.
    pub fn release_is_guessed(&self) -> bool {
        self.release_is_guessed
    }

    /// Machine of the binary.
    pub fn arch(&self) -> Arch {
        self.image.arch()
    }

    /// Format of the function table.
    pub fn table_format(&self) -> Format {
        self.table.format()
    }

    /// Address of the function table.
    pub fn table_vaddr(&self) -> u64 {
        self.table.vaddr()
    }

    /// The runtime's module data.
    pub fn module(&self) -> &ModuleData {
        &self.module
    }

    /// Offsets of the current goroutine's fields: those of the release; for one that is not known, what the program's own type data
    /// says.
    pub fn goroutine_offsets(&self) -> GoroutineOffsets {
        let known = GoroutineOffsets::of(self.release, self.release_is_guessed);
        if known.guessed { GoroutineOffsets::of_types(self).unwrap_or(known) } else { known }
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    pub(crate) fn table(&self) -> &Pclntab {
        &self.table
    }
}

/// The release to take layouts of, and whether that is a guess. The table's format is a fact and bounds the
/// claim of the version text, which can be patched.
fn release_of(version: Option<&GoVersion>, format: Format) -> (Release, bool) {
    let (oldest, newest) = match format {
        Format::Go12 => (2, 15),
        Format::Go116 => (16, 17),
        Format::Go118 => (18, 19),
        Format::Go120 => (20, NEWEST.0),
    };
    match version {
        Some(v) => {
            let release = Release(v.release.0.clamp(oldest, newest));
            (release, v.devel || release != v.release)
        }
        None => (Release(newest), true),
    }
}
