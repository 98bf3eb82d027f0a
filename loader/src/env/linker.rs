//! The libraries of a program, as the dynamic linker finds them: told from the files, before the program runs (ld.so(8), in the order
//! of glibc). What a program opens by name while it runs (`dlopen`) is in the same folders, but not among [`Linked::libraries`].
//!
//! Not followed are `LD_PRELOAD`, folders for certain processors (`glibc-hwcaps`), and the tokens `$LIB` and `$PLATFORM`.

use super::root::{Root, root_of};
use inspect::dynamic;
use inspect::elf::{Arch, Binary};
use inspect::ldcache;
use inspect::proc::Process;
use std::collections::VecDeque;
use std::env;
use std::path::{Path, PathBuf};

/// Where the dynamic linker looks by default, on Debian-like and other systems.
pub(super) const DEFAULT_FOLDERS: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
];

/// What names folders for a program, and which.
pub(super) struct Folders {
    /// `LD_LIBRARY_PATH`, `the RUNPATH of /usr/bin/x`.
    pub named_by: String,
    /// As the program sees them.
    pub folders: Vec<PathBuf>,
}

/// A program with what it will load.
pub(super) struct Linked {
    root: Root,
    /// As it is seen in its file system.
    program: PathBuf,
    /// The folders of `LD_LIBRARY_PATH`.
    library_path: Vec<PathBuf>,
}

/// A file that is loaded.
struct Loaded {
    /// As the program sees it.
    path: PathBuf,
    file: Binary,
    /// The folders that those who loaded it have named in an RPATH, nearest first.
    inherited: Vec<PathBuf>,
}

impl Linked {
    /// A program that will be started with our environment.
    pub fn to_start(program: &Path) -> Linked {
        let folders = env::var("LD_LIBRARY_PATH").unwrap_or_default();
        let library_path = library_path(&folders, Path::new(""));
        Linked { root: Root::Own, program: super::absolute(program), library_path }
    }

    /// The program of a process.
    pub fn running(process: &Process) -> Linked {
        let folders = process.variable("LD_LIBRARY_PATH").unwrap_or_default();
        let library_path = library_path(&folders, &process.current_folder().unwrap_or_default());
        let program = process.exe_name().unwrap_or_default();
        Linked { root: root_of(Some(process)), program, library_path }
    }

    /// Its path, in its own file system.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The libraries that are loaded when it starts and the dynamic linker itself, as this program opens them. Those that are not found,
    /// are left out.
    pub fn libraries(&self) -> Vec<PathBuf> {
        let Ok(program) = Binary::open(self.root.path(&self.program)) else { return Vec::new() };
        let arch = program.arch();
        let mut names: Vec<String> = Vec::new();
        let mut found = Vec::new();
        let mut queue =
            VecDeque::from([Loaded { path: self.program.clone(), file: program, inherited: Vec::new() }]);
        while let Some(Loaded { path, file, inherited }) = queue.pop_front() {
            let asked = dynamic::read(file.image());
            let runpath = asked.runpath.map(|text| folders(text, &path));
            let own = asked.rpath.filter(|_| runpath.is_none()).map(|text| folders(text, &path));
            let rpath: Vec<PathBuf> = own.unwrap_or_default().into_iter().chain(inherited).collect();
            // Who has a RUNPATH is not told the folders of others.
            let before = if runpath.is_some() { &[] } else { rpath.as_slice() };
            let runpath = runpath.unwrap_or_default();
            for name in asked.interpreter.into_iter().chain(asked.needed) {
                if names.iter().any(|known| known == name) {
                    continue;
                }
                names.push(name.to_owned());
                let in_folders = before.iter().chain(&self.library_path).chain(&runpath);
                let Some((path, file)) = self.find(name, in_folders, arch) else { continue };
                let soname = dynamic::read(file.image()).soname.map(str::to_owned);
                let opened = file.path().to_owned();
                // The interpreter is needed by its path and by its name.
                if found.contains(&opened) {
                    continue;
                }
                names.extend(soname);
                found.push(opened);
                queue.push_back(Loaded { path, file, inherited: rpath.clone() });
            }
        }
        found
    }

    /// The folders in which the program finds libraries before those of the system.
    pub fn folders(&self) -> Vec<Folders> {
        let file = Binary::open(self.root.path(&self.program)).ok();
        let asked = file.as_ref().map(|file| dynamic::read(file.image())).unwrap_or_default();
        let of_program = |what: &str, text: Option<&str>| Folders {
            named_by: format!("the {what} of {}", self.program.display()),
            folders: text.map(|text| folders(text, &self.program)).unwrap_or_default(),
        };
        let library_path = Folders { named_by: "LD_LIBRARY_PATH".into(), folders: self.library_path.clone() };
        let rpath = of_program("RPATH", asked.rpath.filter(|_| asked.runpath.is_none()));
        let mut all = vec![rpath, library_path, of_program("RUNPATH", asked.runpath)];
        all.retain(|named| !named.folders.is_empty());
        all
    }

    /// The file system that it sees.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The library of exactly that name or path, for the machine of the program.
    fn find<'a>(
        &self,
        name: &str,
        folders: impl Iterator<Item = &'a PathBuf>,
        arch: Arch,
    ) -> Option<(PathBuf, Binary)> {
        let open = |path: PathBuf| {
            let file = Binary::open(self.root.path(&path)).ok().filter(|file| file.arch() == arch)?;
            Some((path, file))
        };
        if name.contains('/') {
            return open(PathBuf::from(name));
        }
        let mut named = folders.map(|folder| folder.join(name));
        let mut default = DEFAULT_FOLDERS.iter().map(|folder| Path::new(folder).join(name));
        named
            .find_map(open)
            .or_else(|| cached(&self.root, |library| library == name).and_then(open))
            .or_else(|| default.find_map(open))
    }
}

/// What the dynamic linker's list has for a name, in the file system `root`; of several the plainest path.
pub(super) fn cached(root: &Root, is_meant: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let file = std::fs::read(root.path(Path::new(ldcache::PATH))).ok()?;
    let arch = match super::host_arch() {
        lang::arch::Arch::X86_64 => Arch::X86_64,
        lang::arch::Arch::Aarch64 => Arch::Aarch64,
    };
    let listed = ldcache::libraries(&file, arch).into_iter().filter(|(library, _)| is_meant(library));
    let there = listed.map(|(_, path)| path).filter(|path| root.path(Path::new(path)).is_file());
    // `libfoo.so` may be a linker script; a versioned file is the library itself.
    there.min_by_key(|path| (path.ends_with(".so"), path.len())).map(PathBuf::from)
}

/// The folders of an RPATH or RUNPATH of a file. `$ORIGIN` is the folder of the file; folders with other tokens are left out.
fn folders(text: &str, file: &Path) -> Vec<PathBuf> {
    let origin = file.parent().unwrap_or(file).to_string_lossy();
    let named = text.split(':').filter(|folder| !folder.is_empty());
    let whole = named.map(|folder| folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin));
    whole.filter(|folder| !folder.contains('$')).map(PathBuf::from).collect()
}

/// The folders of `LD_LIBRARY_PATH`; those without a leading slash are below the current folder, an empty one is that itself.
fn library_path(text: &str, current: &Path) -> Vec<PathBuf> {
    match text {
        "" => Vec::new(),
        text => text.split([':', ';']).map(|folder| current.join(folder)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_a_file() {
        let of = |text| folders(text, Path::new("/opt/x/bin/prog"));
        assert_eq!(of("$ORIGIN/../lib:/usr/x::"), ["/opt/x/bin/../lib", "/usr/x"].map(PathBuf::from));
        assert_eq!(of("${ORIGIN}:$LIB/x"), ["/opt/x/bin"].map(PathBuf::from));
        assert_eq!(library_path("a:/b;", Path::new("/c")), ["/c/a", "/b", "/c/"].map(PathBuf::from));
        assert!(library_path("", Path::new("/c")).is_empty());
    }

    #[test]
    fn libraries_of_this_program() {
        let me = Process::new(std::process::id());
        let mapped: Vec<PathBuf> = me
            .maps()
            .expect("own mappings")
            .into_iter()
            .filter_map(|mapping| mapping.path.filter(|_| mapping.executable))
            .map(PathBuf::from)
            .collect();
        let libraries = Linked::running(&me).libraries();
        for library in &libraries {
            let real = library.canonicalize().expect("a file");
            assert!(mapped.contains(&real), "{} is not among {mapped:?}", real.display());
        }
        assert!(libraries.iter().any(|library| library.to_string_lossy().contains("libc.so")));
    }
}
