//! The initial file system of a virtual machine: a cpio archive that the kernel unpacks into memory.
//!
//! The format is "newc" of the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`: a header of hexadecimal
//! numbers, the name, the content, each padded to four bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::run::checked;

/// The bits of a mode that say what a file is (`<linux/stat.h>`).
const FOLDER: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// What programs in C may be linked with, beside the dynamic linker of some architecture. Which a foreign program needs, the machine's `ldd`
/// cannot tell.
const FOREIGN_LIBRARIES: &[&str] =
    &["ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"];

/// What is at a place.
#[derive(Debug, Clone)]
enum Content {
    Folder,
    /// A copy of a file, followed if it is a link.
    File(PathBuf),
    Text {
        text: String,
        mode: u32,
    },
    /// A character device by its numbers.
    Device {
        major: u32,
        minor: u32,
    },
}

/// What a virtual machine will find in its root folder; written by [`Image::write`].
#[derive(Debug, Default)]
pub struct Image {
    entries: BTreeMap<PathBuf, Content>,
}

impl Image {
    /// Puts a folder at an absolute place.
    pub fn folder(&mut self, place: impl Into<PathBuf>) {
        let place = place.into();
        self.parents(&place);
        self.entries.insert(place, Content::Folder);
    }

    /// Puts a text at an absolute place; `mode` are its permissions.
    pub fn text(&mut self, place: impl Into<PathBuf>, text: impl Into<String>, mode: u32) {
        let place = place.into();
        self.parents(&place);
        self.entries.insert(place, Content::Text { text: text.into(), mode });
    }

    /// Puts a character device at an absolute place.
    pub fn device(&mut self, place: impl Into<PathBuf>, major: u32, minor: u32) {
        let place = place.into();
        self.parents(&place);
        self.entries.insert(place, Content::Device { major, minor });
    }

    /// Puts a file, or a folder with all that is in it, at an absolute place.
    pub fn copy(&mut self, from: &Path, place: impl Into<PathBuf>) -> io::Result<()> {
        let place = place.into();
        if from.is_dir() {
            for entry in fs::read_dir(from)? {
                let entry = entry?;
                self.copy(&entry.path(), place.join(entry.file_name()))?;
            }
            self.folder(place);
        } else {
            self.parents(&place);
            self.entries.insert(place, Content::File(fs::canonicalize(from)?));
        }
        Ok(())
    }

    /// Puts a program at an absolute place, and the shared libraries that it is linked with at their own.
    pub fn program(&mut self, from: &Path, place: impl Into<PathBuf>) -> io::Result<()> {
        self.copy(from, place)?;
        // An error means that it is linked statically.
        let listing = checked(Command::new("ldd").arg(from)).unwrap_or_default();
        for library in libraries(&listing) {
            self.copy(Path::new(library), library)?;
        }
        Ok(())
    }

    /// Puts the C library of another architecture, as GNU's cross compiler brings it, where its programs look for it.
    pub fn foreign_libraries(&mut self, arch: Arch) -> io::Result<()> {
        let from = Path::new("/usr").join(arch.gnu()).join("lib");
        for name in FOREIGN_LIBRARIES {
            let library = from.join(name);
            if library.exists() {
                self.copy(&library, Path::new("/lib").join(name))?;
            }
        }
        Ok(())
    }

    /// Writes the archive and returns its size in bytes.
    pub fn write(&self, to: &Path) -> io::Result<u64> {
        let mut out = BufWriter::new(File::create(to)?);
        // An inode number of 0 with one link is what the kernel takes as it comes; numbers keep files apart for other readers.
        for (number, (place, content)) in self.entries.iter().enumerate() {
            let number = number + 1;
            match content {
                Content::Folder => entry(&mut out, number, place, FOLDER | 0o755, &[], (0, 0))?,
                Content::Device { major, minor } => {
                    entry(&mut out, number, place, CHARACTER_DEVICE | 0o600, &[], (*major, *minor))?;
                }
                Content::Text { text, mode } => {
                    entry(&mut out, number, place, REGULAR | mode, text.as_bytes(), (0, 0))?;
                }
                Content::File(from) => {
                    let mode = fs::metadata(from)?.permissions().mode() & 0o7777;
                    entry(&mut out, number, place, REGULAR | mode, &fs::read(from)?, (0, 0))?;
                }
            }
        }
        entry(&mut out, 0, Path::new("/TRAILER!!!"), 0, &[], (0, 0))?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(file.metadata()?.len())
    }

    /// The folders above a place, as far as they are not there.
    fn parents(&mut self, place: &Path) {
        for parent in place.ancestors().skip(1).filter(|parent| parent.parent().is_some()) {
            self.entries.entry(parent.to_path_buf()).or_insert(Content::Folder);
        }
    }
}

/// The paths of libraries in what `ldd` prints: `name => path (0x…)` and `path (0x…)`.
fn libraries(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().filter_map(|line| {
        let (before, _) = line.rsplit_once(" (0x")?;
        let path = before.rsplit(' ').next()?.trim();
        path.starts_with('/').then_some(path)
    })
}

/// One entry of the archive.
fn entry(
    out: &mut impl Write,
    number: usize,
    place: &Path,
    mode: u32,
    content: &[u8],
    (major, minor): (u32, u32),
) -> io::Result<()> {
    let name = place.to_string_lossy();
    let name = name.trim_start_matches('/');
    let size = u32::try_from(content.len()).map_err(|_| io::Error::other(format!("{name} is too large")))?;
    // Magic, then: inode, mode, owner, group, links, time, size, device of the file (2), device it is (2), length of the name with
    // its zero, checksum.
    write!(out, "070701{number:08X}{mode:08X}{0:08X}{0:08X}{1:08X}{0:08X}{size:08X}{0:08X}{0:08X}", 0, 1)?;
    write!(out, "{major:08X}{minor:08X}{:08X}{:08X}{name}\0", name.len() + 1, 0)?;
    const HEADER: usize = 110;
    let padding =
        |length: usize| [0_u8; 3].get(..length.next_multiple_of(4) - length).unwrap_or_default().to_vec();
    out.write_all(&padding(HEADER + name.len() + 1))?;
    out.write_all(content)?;
    out.write_all(&padding(content.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_with_and_without_an_arrow() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f)\n\t/lib64/ld.so (0x00007f)\n";
        assert_eq!(libraries(listing).collect::<Vec<_>>(), ["/lib/x/libc.so.6", "/lib64/ld.so"]);
        assert_eq!(libraries("\tstatically linked\n").count(), 0);
    }

    /// What cpio itself finds in an archive, if it is installed, is what was put there; the sizes are right in any case.
    #[test]
    fn entries_are_padded_and_folders_come_first() -> io::Result<()> {
        let mut image = Image::default();
        image.text("/a/b/three", "xyz", 0o755);
        image.device("/dev/console", 5, 1);
        let path = std::env::temp_dir().join(format!("gotrace-image-{}", std::process::id()));
        let size = image.write(&path)?;
        let bytes = fs::read(&path)?;
        fs::remove_file(&path)?;
        assert_eq!(bytes.len() as u64, size);
        assert_eq!(size % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let at = |name: &str| text.find(name).unwrap_or(usize::MAX);
        assert!(at("a\0") < at("a/b\0") && at("a/b\0") < at("a/b/three\0xyz"), "{text}");
        assert!(text.contains("000021800000") && text.contains("TRAILER!!!"), "{text}");
        Ok(())
    }
}
