//! Debug information in files of its own, as distributions ship it: found by the build id (`/usr/lib/debug/.build-id/ab/cdef.debug`) or by
//! the name in `.gnu_debuglink`, and what `dwz` moved to a file that several others share (`.gnu_debugaltlink`).
//!
//! [`crate::elf::Binary`] asks for it when a binary lacks symbols or debug information. A file that does not belong to the binary, by build
//! id or checksum, is not taken. Nothing is fetched from anywhere.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::bytes;
use crate::image::Image;
use crate::mmap::Data;
use crate::native::DebugSections;

/// Where files of debug information are looked for.
const USUAL: &str = "/usr/lib/debug";

/// Folders that the user has named. They are set once, at the start: binaries are opened in many places that know of no options.
static NAMED: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Looks for debug information in these folders too, before the usual one. Counts once, before the first binary is asked for some.
pub fn look_in(folders: Vec<PathBuf>) {
    // A second call would be a mistake of the caller; the first one stays.
    let _ = NAMED.set(folders);
}

/// A file that holds what another one lacks.
#[derive(Debug)]
pub(crate) struct Separate {
    pub(crate) path: PathBuf,
    pub(crate) image: Image,
    pub(crate) sections: DebugSections,
}

impl Separate {
    /// The debug information of a binary.
    pub(crate) fn of(path: &Path, image: &Image) -> Option<Separate> {
        let id = build_id(image);
        let link = contents(image, ".gnu_debuglink").and_then(|link| {
            let name = bytes::c_str(link, 0)?;
            // The checksum stands at the next multiple of four.
            Some((name, bytes::u32(link, (name.len() + 1).next_multiple_of(4))?))
        });
        let mut places = id.map(by_id).unwrap_or_default();
        if let Some((name, _)) = link.filter(|(name, _)| !name.is_empty() && !name.contains('/')) {
            let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let beside = real.parent().unwrap_or_else(|| Path::new("/"));
            places.extend([beside.join(name), beside.join(".debug").join(name)]);
            let below = beside.strip_prefix("/").unwrap_or(beside);
            places.extend(folders().flat_map(|folder| [folder.join(below).join(name), folder.join(name)]));
        }
        places.into_iter().filter(|place| place != path).find_map(|place| {
            let found = Separate::open(&place)?;
            let belongs = match (id, build_id(&found.image), link) {
                (Some(id), Some(its), _) => id == its,
                (_, _, Some((_, checksum))) => {
                    let mut crc = flate2::Crc::new();
                    crc.update(found.image.bytes());
                    crc.sum() == checksum
                }
                _ => false,
            };
            belongs.then_some(found)
        })
    }

    /// What `dwz` moved away from the debug information in a file.
    pub(crate) fn shared(path: &Path, image: &Image) -> Option<Separate> {
        let link = contents(image, ".gnu_debugaltlink")?;
        let end = link.iter().position(|byte| *byte == 0)?;
        let (name, id) = (Path::new(std::ffi::OsStr::from_bytes(link.get(..end)?)), link.get(end + 1..)?);
        let mut places = by_id(id);
        // Joined with an absolute path, it is that path.
        places.push(path.parent()?.join(name));
        if let Ok(below) = name.strip_prefix(USUAL) {
            places.extend(folders().map(|folder| folder.join(below)));
        }
        let opened = places.into_iter().filter_map(|place| Separate::open(&place));
        opened.into_iter().find(|found| build_id(&found.image) == Some(id))
    }

    fn open(path: &Path) -> Option<Separate> {
        let file = std::fs::File::open(path).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let image = Image::from_data(Data::of_file(&file).ok()?, path).ok()?;
        Some(Separate { path: path.to_owned(), image, sections: DebugSections::default() })
    }
}

fn folders() -> impl Iterator<Item = &'static Path> {
    let named = NAMED.get().map(Vec::as_slice).unwrap_or_default();
    named.iter().map(PathBuf::as_path).chain([Path::new(USUAL)])
}

/// Files of a build id.
fn by_id(id: &[u8]) -> Vec<PathBuf> {
    let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    match text.split_at_checked(2) {
        Some((first, rest)) if !rest.is_empty() => folders()
            .map(|folder| folder.join(".build-id").join(first).join(format!("{rest}.debug")))
            .collect(),
        _ => Vec::new(),
    }
}

/// The bytes of a section.
fn contents<'a>(image: &'a Image, name: &str) -> Option<&'a [u8]> {
    let section = image.sections().iter().find(|s| s.name == name)?;
    image.bytes().get(section.file.clone())
}

/// The build id, by the section too: files that only others refer to have no program headers.
fn build_id(image: &Image) -> Option<&[u8]> {
    // `Elf64_Nhdr`: sizes of name and contents, type; then the name `GNU`.
    const HEADER: usize = 12 + 4;
    let of_section = || {
        let note = contents(image, ".note.gnu.build-id")?;
        note.get(HEADER..)?.get(..bytes::u32(note, 4)? as usize)
    };
    image.build_id().or_else(of_section)
}
