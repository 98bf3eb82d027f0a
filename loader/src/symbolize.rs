//! Names for addresses: functions, offsets, inlined frames and source lines for stacks and symbols in the output.
//!
//! What `inspect` knows about binaries, processes and the kernel is put together and cached here. A process may be gone
//! when its stack is printed, so the event loop calls [`Symbolizer::note_process`] as soon as it hears of one; its memory
//! mappings are read and its binaries opened then, symbols are looked up only when something is printed.

use crate::value::{GoTypeAddress, Side};
use inspect::demangle::demangle;
use inspect::elf::Binary;
use inspect::kallsyms::Kallsyms;
use inspect::perfmap::PerfMap;
use inspect::proc::{Mapping, Process};
use inspect::process::AddressSpace;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A function (or one inlined into it) at an address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frame {
    /// Name of the function; `None` when only the address is known.
    pub function: Option<Arc<str>>,
    /// Name of the Go function of the source that `function` stands for, if that is another one.
    pub source_function: Option<Arc<str>>,
    /// Bytes from the start of the function.
    pub offset: u64,
    /// The code is inlined into the next frame's function.
    pub inlined: bool,
    /// File and line of the source.
    pub source: Option<(Arc<str>, u32)>,
    /// Binary or kernel module that holds the code; `None` for the kernel itself.
    pub module: Option<Arc<str>>,
}

/// The name of a Go type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoTypeName {
    /// As `%T` prints it: `*http.Request`.
    pub short: Arc<str>,
    /// With the package's path: `*net/http.Request`.
    pub full: Arc<str>,
}

/// A place in a file that can be told without its path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InFile {
    /// The file's build id, as the linker wrote it.
    pub build_id: Vec<u8>,
    /// Offset in bytes.
    pub offset: u64,
}

/// The frames at one address; shared, because the same addresses come again and again.
pub type Frames = Rc<[Frame]>;

/// Gives names to addresses.
pub trait Resolve {
    /// The frames at an address, the innermost inlined function first; never empty.
    ///
    /// `caller` says that it is a return address, so that the call before it is meant.
    fn frames(&self, side: Side, pid: u32, address: u64, caller: bool) -> Frames;

    /// Whether the code at an address is that of a Go function whose frame is not set up there, or is taken down: the return address
    /// is on top of the stack, or below the frame pointer that has just been saved.
    fn has_no_frame(&self, pid: u32, address: u64) -> bool {
        let _ = (pid, address);
        false
    }

    /// The file that a process has mapped at an address; `None` where it is none with a build id.
    fn in_file(&self, pid: u32, address: u64) -> Option<InFile> {
        let _ = (pid, address);
        None
    }

    /// The name of a Go type; `None` where it is not known.
    fn go_type(&self, ty: GoTypeAddress) -> Option<GoTypeName> {
        let _ = ty;
        None
    }

    /// Name of the Go function of the source at an address; of other code, of the function as it is.
    fn go_function(&self, pid: u32, address: u64) -> Option<Arc<str>> {
        self.frames(Side::User, pid, address, false).last()?.function.clone()
    }
}

/// Knows no names; for output that wants addresses only, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSymbols;

impl Resolve for NoSymbols {
    fn frames(&self, _: Side, _: u32, _: u64, _: bool) -> Frames {
        Rc::new([Frame::default()])
    }
}

/// How long what is known about a process is taken as true before it is looked at again: it may have loaded a library or
/// become another program. Bounds the work for stacks full of addresses that belong to nothing.
const FRESH: Duration = Duration::from_millis(200);

/// How frames are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Names of C++ and Rust as their sources have them.
    pub demangled: bool,
    /// File and line, where they are known.
    pub lines: bool,
}

impl Default for Shown {
    fn default() -> Shown {
        Shown { demangled: true, lines: true }
    }
}

/// Looks symbols up in the binaries that processes have mapped, and in the kernel's table.
#[derive(Debug, Default)]
pub struct Symbolizer {
    shown: Shown,
    processes: RefCell<HashMap<u32, Known>>,
    /// Opened binaries by device and inode, as `/proc/PID/maps` gives them; `None` for files that cannot be read.
    binaries: RefCell<HashMap<FileKey, Option<Rc<Module>>>>,
    /// Binaries that are traced, for processes that are gone before anything is known about them.
    traced: RefCell<Vec<Rc<Module>>>,
    kernel: OnceCell<Option<Kallsyms>>,
}

/// Bytes on the stack when a function has saved the frame pointer and has not set its own yet.
const SAVED_FRAME_POINTER: u32 = 8;

/// Device and inode; of a mapping of an archive also the offset in the file, because each member is a binary of its own.
type FileKey = ((u32, u32), u64, Option<u64>);

/// What is known about a process.
#[derive(Debug)]
struct Known {
    space: AddressSpace,
    /// When the mappings were read.
    read: Instant,
    identity: Option<Identity>,
    /// When it was last made sure that it still is the same.
    checked: Instant,
    /// Where names of the code that it made itself are when it is gone.
    left: Option<PathBuf>,
    /// Those names, once they were asked for.
    made: Option<MadeCode>,
}

/// What a process says of the code that it made itself.
#[derive(Debug)]
struct MadeCode {
    names: Option<PerfMap>,
    read: Instant,
}

/// A binary, with the frames that have been looked up in it by address (vaddr) and whether it is that of a caller.
#[derive(Debug)]
struct Module {
    binary: Binary,
    name: Arc<str>,
    shown: Shown,
    frames: RefCell<HashMap<(u64, bool), Frames>>,
    /// Names of types by the address of their descriptors (vaddr).
    types: RefCell<HashMap<u64, Option<GoTypeName>>>,
}

impl Symbolizer {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(shown: Shown) -> Symbolizer {
        Symbolizer { shown, ..Symbolizer::default() }
    }

    /// Learns the mappings of a process while it is there. Cheap when it is known already.
    pub fn note_process(&self, pid: u32) {
        let fresh = |known: &Known| known.checked.elapsed() < FRESH;
        if self.processes.borrow().get(&pid).is_some_and(fresh) {
            return;
        }
        let process = Process::new(pid);
        let identity = Identity::of(&process);
        let mut processes = self.processes.borrow_mut();
        if let Some(known) = processes.get_mut(&pid) {
            known.checked = Instant::now();
            // Gone, or still the same: what is known stays true.
            if identity.is_none() || identity == known.identity {
                return;
            }
        }
        if let Some(known) = self.learn(&process, identity) {
            processes.insert(pid, known);
        }
    }

    /// Learns the mappings of a process that stands at the start of its program. Its dynamic linker has not run: what is missing is
    /// looked for again at once.
    pub fn note_started(&self, pid: u32) {
        let process = Process::new(pid);
        if let Some(mut known) = self.learn(&process, Identity::of(&process)) {
            known.read = known.read.checked_sub(FRESH).unwrap_or(known.read);
            self.processes.borrow_mut().insert(pid, known);
        }
    }

    /// Forgets a process that is about to execute its program: so far it was a copy of this one.
    pub fn forget(&self, pid: u32) {
        self.processes.borrow_mut().remove(&pid);
    }

    /// Names a binary that is traced. Addresses of processes that ended too soon are looked up in it when it is always
    /// loaded at the same place, as Go programs are unless they are built otherwise.
    pub fn note_binary(&self, path: &Path) {
        if let Ok(binary) = Binary::open(path) {
            let module = module(binary, path.to_string_lossy().into(), self.shown);
            self.traced.borrow_mut().push(Rc::new(module));
        }
    }

    /// Reads the mappings of a process and opens its binaries.
    fn learn(&self, process: &Process, identity: Option<Identity>) -> Option<Known> {
        // A process that has ended and is not waited for yet has none, and what is known about it stays true.
        let mappings = process.maps().ok().filter(|mappings| !mappings.is_empty())?;
        for mapping in mappings.iter().filter(|m| m.executable && m.is_file()) {
            self.module(process, mapping);
        }
        let now = Instant::now();
        let left = PerfMap::left_by(process);
        Some(Known {
            space: AddressSpace::new(mappings),
            read: now,
            identity,
            checked: now,
            left,
            made: None,
        })
    }

    /// The binary of a mapping, opened once.
    fn module(&self, process: &Process, mapping: &Mapping) -> Option<Rc<Module>> {
        let of_file = (mapping.device, mapping.inode, None);
        let of_mapping = (mapping.device, mapping.inode, Some(mapping.offset));
        let known = |key| self.binaries.borrow().get(key).cloned();
        if let Some(known) = known(&of_file).flatten().map(Some).or_else(|| known(&of_mapping)) {
            return known;
        }
        let own_path = mapping.path.as_deref()?;
        let keep = |key, binary: Result<Binary, inspect::Error>| {
            let module = binary.ok().map(|binary| Rc::new(module(binary, own_path.into(), self.shown)));
            self.binaries.borrow_mut().insert(key, module.clone());
            module
        };
        let Some(path) = process.mapped_file(mapping) else {
            self.binaries.borrow_mut().insert(of_mapping, None);
            return None;
        };
        keep(of_file, Binary::open(&path))
            .or_else(|| keep(of_mapping, Binary::open_member_at(&path, mapping.offset)))
    }

    /// Asks the binary that a process has mapped at an address, or the traced ones that are never moved; the address is its own (vaddr).
    fn in_module<R>(&self, pid: u32, address: u64, ask: impl Fn(&Module, u64) -> Option<R>) -> Option<R> {
        self.note_process(pid);
        let process = Process::new(pid);
        let mut processes = self.processes.borrow_mut();
        if let Some(known) = processes.get_mut(&pid)
            && let Some(place) = known.space.locate(address)
            && let Some(module) = self.module(&process, place.mapping)
        {
            return ask(&module, module.binary.vaddr_of_offset(place.offset)?);
        }
        let traced = self.traced.borrow();
        traced.iter().filter(|m| !m.binary.is_pie()).find_map(|m| ask(m, address))
    }

    fn user(&self, pid: u32, address: u64, caller: bool) -> Frames {
        self.note_process(pid);
        // The instruction before a return address is in the function that called.
        let looked_up = address.wrapping_sub(caller.into());
        self.mapped(pid, looked_up, caller).unwrap_or_else(|| self.anywhere(address, caller))
    }

    /// Looks in what the process has mapped there; reads its mappings again when there is nothing.
    fn mapped(&self, pid: u32, address: u64, caller: bool) -> Option<Frames> {
        let process = Process::new(pid);
        let mut processes = self.processes.borrow_mut();
        let known = processes.get_mut(&pid)?;
        if known.space.mapping(address).is_none() {
            self.refresh(known, &process);
        }
        if known.space.mapping(address).is_none_or(|mapping| mapping.inode == 0) {
            return known.made_code(&process, address, caller);
        }
        let place = known.space.locate(address)?;
        let unknown = |name: &str| Frame { module: Some(name.into()), ..Frame::default() };
        let Some(module) = self.module(&process, place.mapping) else {
            return Some(Rc::new([unknown(place.mapping.path.as_deref().unwrap_or("[unknown]"))]));
        };
        let vaddr = module.binary.vaddr_of_offset(place.offset)?;
        Some(module.at(vaddr.wrapping_add(caller.into()), caller))
    }

    /// The type whose description the process has mapped there.
    fn mapped_type(&self, ty: GoTypeAddress) -> Option<GoTypeName> {
        let process = Process::new(ty.pid);
        let mut processes = self.processes.borrow_mut();
        let known = processes.get_mut(&ty.pid)?;
        if known.space.mapping(ty.address).is_none() {
            self.refresh(known, &process);
        }
        let place = known.space.locate(ty.address)?;
        let module = self.module(&process, place.mapping)?;
        module.go_type(module.binary.vaddr_of_offset(place.offset)?)
    }

    /// The file that is mapped there; reads the mappings again when nothing is.
    fn mapped_file(&self, pid: u32, address: u64) -> Option<InFile> {
        self.note_process(pid);
        let process = Process::new(pid);
        let mut processes = self.processes.borrow_mut();
        let known = processes.get_mut(&pid)?;
        if known.space.mapping(address).is_none() {
            self.refresh(known, &process);
        }
        let place = known.space.locate(address)?;
        let module = self.module(&process, place.mapping)?;
        Some(InFile { build_id: module.binary.build_id()?.to_vec(), offset: place.offset })
    }

    /// Reads the mappings again, unless that has been done just now.
    fn refresh(&self, known: &mut Known, process: &Process) {
        if known.read.elapsed() >= FRESH
            && let Some(new) = self.learn(process, Identity::of(process))
        {
            *known = new;
        }
    }

    /// Looks in the traced binaries that are never moved.
    fn anywhere(&self, address: u64, caller: bool) -> Frames {
        let traced = self.traced.borrow();
        let fixed = traced.iter().filter(|m| !m.binary.is_pie());
        let named = |frames: &Frames| frames.iter().any(|f| f.function.is_some());
        let found = fixed.map(|m| m.at(address, caller)).find(named);
        found.unwrap_or_else(|| Rc::new([Frame::default()]))
    }

    fn kernel(&self, address: u64, caller: bool) -> Frames {
        let table = self.kernel.get_or_init(|| Kallsyms::load().ok());
        let looked_up = address.wrapping_sub(caller.into());
        let found = table.as_ref().and_then(|t| t.lookup(looked_up));
        let frame = found.map_or_else(Frame::default, |(symbol, _)| Frame {
            function: Some(symbol.name.into()),
            offset: address.wrapping_sub(symbol.addr),
            module: symbol.module.map(Arc::from),
            ..Frame::default()
        });
        Rc::new([frame])
    }
}

impl Resolve for Symbolizer {
    fn frames(&self, side: Side, pid: u32, address: u64, caller: bool) -> Frames {
        match side {
            Side::User => self.user(pid, address, caller),
            Side::Kernel => self.kernel(address, caller),
        }
    }

    fn in_file(&self, pid: u32, address: u64) -> Option<InFile> {
        self.mapped_file(pid, address)
    }

    fn go_function(&self, pid: u32, address: u64) -> Option<Arc<str>> {
        let frames = self.frames(Side::User, pid, address, false);
        let frame = frames.last()?;
        frame.source_function.clone().or_else(|| frame.function.clone())
    }

    fn has_no_frame(&self, pid: u32, address: u64) -> bool {
        self.in_module(pid, address, Module::frame_size).is_some_and(|size| size <= SAVED_FRAME_POINTER)
    }

    fn go_type(&self, ty: GoTypeAddress) -> Option<GoTypeName> {
        self.note_process(ty.pid);
        self.mapped_type(ty).or_else(|| {
            let traced = self.traced.borrow();
            traced.iter().filter(|m| !m.binary.is_pie()).find_map(|m| m.go_type(ty.address))
        })
    }
}

impl Known {
    /// Code that the process made itself: it writes names down as it goes on, so the file is read again when one is missing.
    fn made_code(&mut self, process: &Process, address: u64, caller: bool) -> Option<Frames> {
        let known =
            |made: &MadeCode| made.names.as_ref().is_some_and(|names| names.lookup(address).is_some());
        let stale = |made: &MadeCode| !known(made) && made.read.elapsed() >= FRESH;
        if self.made.as_ref().is_none_or(stale) {
            let owner = std::fs::metadata(process.exe().with_file_name("status")).map(|meta| meta.uid()).ok();
            let path = if owner.is_some() { Some(PerfMap::path(process)) } else { self.left.clone() };
            let names = path.and_then(|path| PerfMap::open(&path, owner).ok());
            self.made = Some(MadeCode { names, read: Instant::now() });
        }
        let function = self.made.as_ref()?.names.as_ref()?.lookup(address)?;
        Some(Rc::new([Frame {
            function: Some(function.name.as_str().into()),
            offset: address.wrapping_add(caller.into()).wrapping_sub(function.start),
            ..Frame::default()
        }]))
    }
}

/// What a process is and runs; ids of processes are used again, and a process may start another program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Identity {
    /// Clock ticks after boot.
    started: u64,
    /// Device and inode of the program.
    program: (u64, u64),
}

impl Identity {
    /// `None` when the process is gone.
    fn of(process: &Process) -> Option<Identity> {
        let meta = std::fs::metadata(process.exe()).ok()?;
        Some(Identity { started: process.start_time().ok()?, program: (meta.dev(), meta.ino()) })
    }
}

fn module(binary: Binary, name: Arc<str>, shown: Shown) -> Module {
    Module { binary, name, shown, frames: RefCell::default(), types: RefCell::default() }
}

impl Module {
    /// Bytes that a Go function has on the stack at an address (vaddr).
    fn frame_size(&self, vaddr: u64) -> Option<u32> {
        let function = self.binary.go().ok()??.function_at(vaddr)?;
        if function.flags().writes_sp() { None } else { function.sp_delta(vaddr) }
    }

    /// The name of the type whose descriptor is at an address (vaddr).
    fn go_type(&self, vaddr: u64) -> Option<GoTypeName> {
        if let Some(known) = self.types.borrow().get(&vaddr) {
            return known.clone();
        }
        let go = self.binary.go().ok().flatten();
        let found = go.and_then(|go| {
            let (short, full) = (go.runtime_type_name(vaddr)?, go.runtime_type_path(vaddr)?);
            Some(GoTypeName { short: short.into(), full: full.into() })
        });
        self.types.borrow_mut().insert(vaddr, found.clone());
        found
    }

    /// The frames at an address (vaddr).
    fn at(&self, vaddr: u64, caller: bool) -> Frames {
        let mut frames = self.frames.borrow_mut();
        frames.entry((vaddr, caller)).or_insert_with(|| self.look_up(vaddr, caller)).clone()
    }

    fn look_up(&self, vaddr: u64, caller: bool) -> Frames {
        let looked_up = vaddr.wrapping_sub(caller.into());
        if let Ok(Some(go)) = self.binary.go()
            && let Some(function) = go.function_at(looked_up)
        {
            let frames = function.frames(looked_up);
            let offset = vaddr.wrapping_sub(function.entry());
            let source_name = function.source_name();
            let stands_for = |name: &str| (name != source_name).then(|| source_name.into());
            let frames = frames.iter().map(|frame| Frame {
                function: Some(frame.name.into()),
                source_function: if frame.inlined { None } else { stands_for(frame.name) },
                offset: if frame.inlined { 0 } else { offset },
                inlined: frame.inlined,
                source: frame.line.filter(|_| self.shown.lines).map(|l| (l.file.into(), l.line)),
                module: Some(self.name.clone()),
            });
            let frames: Frames = frames.collect();
            if !frames.is_empty() {
                return frames;
            }
        }
        let symbol = self.binary.symbolize(looked_up);
        Rc::new([Frame {
            function: symbol.map(|s| {
                demangle(s.name).filter(|_| self.shown.demangled).map_or_else(|| s.name.into(), Arc::from)
            }),
            offset: symbol.map_or(0, |s| vaddr.wrapping_sub(s.addr)),
            module: Some(self.name.clone()),
            ..Frame::default()
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[inline(never)]
    fn somewhere(n: u64) -> u64 {
        black_box(n) + 1
    }

    /// This process never becomes another program, as a child does not in time on a machine that is very busy.
    #[test]
    fn a_forgotten_process_is_asked_again() {
        let symbols = Symbolizer::default();
        let me = std::process::id();
        symbols.note_started(me);
        assert!(symbols.processes.borrow().contains_key(&me));
        symbols.forget(me);
        assert!(symbols.processes.borrow().is_empty());
    }

    #[test]
    fn own_code_has_a_name() {
        let symbols = Symbolizer::default();
        let me = std::process::id();
        let address = somewhere as *const () as u64;
        let frames = symbols.frames(Side::User, me, address, false);
        let name = frames[0].function.as_deref().unwrap_or_default();
        assert!(name.contains("somewhere"), "{frames:?}");
        assert_eq!(frames[0].offset, 0);
        // A return address right behind the function would belong to the next one but for the step back.
        let frames = symbols.frames(Side::User, me, address + 1, true);
        assert!(frames[0].function.as_deref().is_some_and(|n| n.contains("somewhere")), "{frames:?}");
        assert_eq!(frames[0].offset, 1);
        assert!(frames[0].module.as_deref().is_some_and(|m| m.starts_with('/')));
    }

    #[test]
    fn addresses_of_nothing_have_none() {
        let symbols = Symbolizer::default();
        assert_eq!(*symbols.frames(Side::User, std::process::id(), 1, false), [Frame::default()]);
        assert_eq!(*symbols.frames(Side::User, u32::MAX, 0x40_0000, true), [Frame::default()]);
        assert_eq!(*symbols.frames(Side::Kernel, 0, 1, true), [Frame::default()]);
    }

    #[test]
    fn a_process_that_ended_is_remembered() {
        let symbols = Symbolizer::default();
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let pid = child.id();
        // Until exec has happened it still has the mappings of this program.
        let program =
            |m: &Mapping| m.path.as_deref().is_some_and(|p| p.ends_with("sleep") || p.ends_with("coreutils"));
        let code = || {
            let maps = Process::new(pid).maps().unwrap_or_default();
            maps.into_iter().find(|m| m.executable && program(m)).map(|m| m.start)
        };
        let limit = Instant::now() + Duration::from_secs(10);
        let start = std::iter::repeat_with(code).find(|c| c.is_some() || Instant::now() > limit).flatten();
        symbols.note_process(pid);
        let start = start.expect("the code of sleep");
        child.kill().unwrap();
        // Until it is waited for, it is there and has no mappings. An address of nothing makes them be read again.
        let ended = || Process::new(pid).maps().is_ok_and(|maps| maps.is_empty());
        while !ended() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(FRESH);
        assert_eq!(*symbols.frames(Side::User, pid, 1, false), [Frame::default()]);
        let frames = symbols.frames(Side::User, pid, start, false);
        assert!(frames[0].module.is_some(), "{frames:?}");
        child.wait().unwrap();
        let frames = symbols.frames(Side::User, pid, start, false);
        assert!(frames[0].module.is_some(), "{frames:?}");
        symbols.processes.borrow_mut().remove(&pid);
        let frames = symbols.frames(Side::User, pid, start, false);
        assert_eq!(*frames, [Frame::default()]);
    }
}
