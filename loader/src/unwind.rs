//! The unwinding tables of the traced processes, for `dw_ustack`: reads them from the files that the processes run and have mapped, and
//! keeps the maps filled that [`codegen::unwind`] describes.
//!
//! A file's table is read once. What a process has mapped is read when the run starts, and again when a program has met code that no
//! mapping had: a library that was loaded since. A child of `-c` is looked at before its program's first instruction, when its dynamic
//! linker is done.

use crate::sys::bpf;
use codegen::unwind::{self, Code, Step, Table};
use inspect::elf::Binary;
use inspect::image::Image;
use inspect::proc::{Mapping, Process};
use inspect::unwind::{Cfa, Link, Rule, UnwindTable};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Room for rows of files that are mapped later: 4 MiB, ten times the C library.
const SPARE_ROWS: u32 = 1 << 19;
/// Bytes of `.eh_frame` that make up a row at least, for the program of a child, whose table is not read before it runs.
const BYTES_A_ROW: u64 = 3;
/// How often mappings are read again at most.
const FRESH: Duration = Duration::from_millis(100);
/// Rows that are handed to the kernel at once.
const BATCH: usize = 1 << 14;

/// Reads tables and fills the maps; until [`Unwinder::fill`] it only notes what will be put there.
#[derive(Debug, Default)]
pub struct Unwinder {
    /// The processes that ran already, and the child.
    pids: Vec<u32>,
    /// Room in the map of rows.
    room: u32,
    tables: RefCell<Tables>,
    /// The mappings that each process had when it was looked at last.
    processes: RefCell<BTreeMap<u32, Placed>>,
    /// Walks that came to unknown code, as far as they have been seen to.
    missed: Cell<u64>,
    looked: Cell<Option<Instant>>,
}

/// The tables of all files.
#[derive(Debug, Default)]
struct Tables {
    files: BTreeMap<FileKey, Option<File>>,
    /// The kernel's code in every process.
    vdso: Option<Option<File>>,
    /// Rows that are not in the map yet.
    waiting: Vec<u64>,
    /// Rows in the map.
    written: u32,
    /// Files whose rows have found no room.
    left_out: Vec<String>,
}

/// Device and inode, as `/proc/PID/maps` gives them.
type FileKey = ((u32, u32), u64);

/// What is known of a file.
#[derive(Debug, Clone)]
struct File {
    /// The table, whose rows count from an address in the file (vaddr).
    table: Table,
    /// Executable segments: file offset, bytes, address (vaddr).
    code: Vec<(u64, u64, u64)>,
}

/// The mappings of a process in the map.
#[derive(Debug, Default)]
struct Placed {
    at: Range<u32>,
    code: Vec<Code>,
}

/// The maps of a loaded script.
#[derive(Debug)]
pub struct Maps<'a> {
    rows: bpf::Map<'a>,
    code: bpf::Map<'a>,
    processes: bpf::Map<'a>,
    missed: bpf::Map<'a>,
}

impl<'a> Maps<'a> {
    /// The maps by their names; `None` if the script walks no stacks by tables.
    ///
    /// # Errors
    /// The kernel does not describe a map.
    pub fn find(map: impl Fn(&str) -> Option<BorrowedFd<'a>>) -> io::Result<Option<Maps<'a>>> {
        let names = [unwind::ROWS, unwind::CODE, unwind::PROCESSES, unwind::MISSED];
        let [Some(rows), Some(code), Some(processes), Some(missed)] = names.map(map) else { return Ok(None) };
        let view = bpf::Map::new;
        Ok(Some(Maps {
            rows: view(rows)?,
            code: view(code)?,
            processes: view(processes)?,
            missed: view(missed)?,
        }))
    }
}

impl Unwinder {
    /// Reads the tables of processes. `child` is the one of `-c` with its program, which it does not run yet.
    #[must_use]
    pub fn new(running: &[u32], child: Option<(u32, &Path)>) -> Unwinder {
        let mut unwinder = Unwinder { pids: running.to_vec(), ..Unwinder::default() };
        for pid in running {
            let code = unwinder.code(*pid);
            unwinder.processes.borrow_mut().insert(*pid, Placed { at: 0..0, code });
        }
        let mut rows = unwinder.tables.borrow().waiting.len() as u64 + u64::from(SPARE_ROWS);
        if let Some((pid, program)) = child {
            unwinder.pids.push(pid);
            let bytes =
                Binary::open(program).ok().and_then(|b| Some(b.image().section(".eh_frame")?.file.len()));
            rows += bytes.unwrap_or(0) as u64 / BYTES_A_ROW;
        }
        unwinder.room = u32::try_from(rows).unwrap_or(u32::MAX);
        unwinder
    }

    /// The processes whose tables were read at the start.
    #[must_use]
    pub fn running(&self) -> Vec<u32> {
        self.processes.borrow().keys().copied().collect()
    }

    /// Rows that the map must have room for.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.room
    }

    /// Puts what is known into the maps.
    ///
    /// # Errors
    /// The kernel takes no entry.
    pub fn fill(&self, maps: &Maps<'_>) -> io::Result<()> {
        self.write_rows(maps)?;
        let known: Vec<(u32, Vec<Code>)> =
            self.processes.borrow().iter().map(|(pid, placed)| (*pid, placed.code.clone())).collect();
        known.into_iter().try_for_each(|(pid, code)| self.place(maps, pid, code))
    }

    /// Reads the mappings of a process again; gives whether they are others than before.
    ///
    /// # Errors
    /// The kernel takes no entry.
    pub fn refresh(&self, maps: &Maps<'_>, pid: u32) -> io::Result<bool> {
        let code = self.code(pid);
        // A process that has ended has none, and what was known of it stays true.
        let same = self.processes.borrow().get(&pid).is_some_and(|known| known.code == code);
        if code.is_empty() || same {
            return Ok(false);
        }
        self.write_rows(maps)?;
        self.place(maps, pid, code)?;
        Ok(true)
    }

    /// Reads mappings again if a program has met code that none of them had; gives the processes that have others now. To be called
    /// from time to time.
    ///
    /// # Errors
    /// As [`Unwinder::refresh`].
    pub fn keep_up(&self, maps: &Maps<'_>) -> io::Result<Vec<u32>> {
        if self.looked.get().is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(Vec::new());
        }
        let word = maps.missed.lookup(&0u32.to_ne_bytes())?.unwrap_or_default();
        let missed = word.as_chunks().0.first().map_or(0, |word| u64::from_ne_bytes(*word));
        if missed == self.missed.replace(missed) {
            return Ok(Vec::new());
        }
        self.looked.set(Some(Instant::now()));
        let mut changed = Vec::new();
        for pid in &self.pids {
            if self.refresh(maps, *pid)? {
                changed.push(*pid);
            }
        }
        Ok(changed)
    }

    /// What a person may want to know: how much was read, and what found no room.
    #[must_use]
    pub fn describe(&self) -> String {
        let tables = self.tables.borrow();
        let files = tables.files.values().flatten().filter(|f| matches!(f.table, Table::Rows { .. })).count();
        let (rows, room) = (tables.written as usize + tables.waiting.len(), self.room);
        format!(
            "unwinding tables: {rows} rows of {files} files; {} KiB of memory for {room}",
            u64::from(room) * 8 / 1024
        )
    }

    /// The files whose tables have found no room since this was asked last.
    pub fn take_left_out(&self) -> Vec<String> {
        std::mem::take(&mut self.tables.borrow_mut().left_out)
    }

    /// The mappings of code of a process, in order of address.
    fn code(&self, pid: u32) -> Vec<Code> {
        let process = Process::new(pid);
        let mappings = process.maps().unwrap_or_default();
        let mut tables = self.tables.borrow_mut();
        let code = mappings.iter().filter(|m| m.executable);
        let mut code: Vec<Code> = code
            .map(|m| Code { start: m.start, end: m.end, table: tables.of_mapping(&process, m, self.room) })
            .collect();
        code.sort_by_key(|code| code.start);
        code.truncate(unwind::MOST_CODE as usize);
        code
    }

    fn write_rows(&self, maps: &Maps<'_>) -> io::Result<()> {
        let mut tables = self.tables.borrow_mut();
        for part in std::mem::take(&mut tables.waiting).chunks(BATCH) {
            maps.rows.update_array(tables.written, part)?;
            tables.written += part.len() as u32;
        }
        Ok(())
    }

    /// Writes the mappings of a process beside the old ones, then the word that leads to them.
    fn place(&self, maps: &Maps<'_>, pid: u32, code: Vec<Code>) -> io::Result<()> {
        let mut processes = self.processes.borrow_mut();
        let count = code.len() as u32;
        let mut taken: Vec<Range<u32>> = processes.values().map(|p| p.at.clone()).collect();
        taken.sort_by_key(|range| range.start);
        let mut first = 0;
        for range in taken {
            if first + count <= range.start {
                break;
            }
            first = first.max(range.end);
        }
        if first + count > unwind::CODE_ENTRIES {
            return Err(io::Error::other("the traced processes have too many mappings of code"));
        }
        for (index, code) in (first..).zip(&code) {
            maps.code.update(&index.to_ne_bytes(), &code.bytes())?;
        }
        let range = [first.to_ne_bytes(), count.to_ne_bytes()].concat();
        maps.processes.update(&pid.to_ne_bytes(), &range)?;
        processes.insert(pid, Placed { at: first..first + count, code });
        Ok(())
    }
}

impl Tables {
    fn of_mapping(&mut self, process: &Process, mapping: &Mapping, room: u32) -> Table {
        let file = match mapping.path.as_deref() {
            _ if mapping.is_file() => self.of_file(process, mapping, room),
            Some("[vdso]") => self.of_vdso(room),
            // The kernel puts its address in place of return addresses that it has taken for uretprobes.
            Some("[uprobes]") => return Table::End,
            // Made at run time: such code keeps frame pointers or cannot be walked through.
            _ => return Table::FramePointers,
        };
        let Some(file) = file else { return Table::Missing };
        let Table::Rows { base, first, count } = file.table else { return file.table };
        let (start, end) = (mapping.offset, mapping.offset.saturating_add(mapping.end - mapping.start));
        let inside =
            |(offset, size, _): &&(u64, u64, u64)| *offset < end && start < offset.saturating_add(*size);
        let Some((offset, _, vaddr)) = file.code.iter().find(inside) else { return Table::Missing };
        let bias = mapping.start.wrapping_add(*offset).wrapping_sub(mapping.offset).wrapping_sub(*vaddr);
        Table::Rows { base: bias.wrapping_add(base), first, count }
    }

    fn of_file(&mut self, process: &Process, mapping: &Mapping, room: u32) -> Option<File> {
        let key = (mapping.device, mapping.inode);
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        let file = process.mapped_file(mapping).map(|path| match Binary::open(path) {
            Ok(binary) => {
                let go = matches!(binary.go(), Ok(Some(_)));
                let table = UnwindTable::of(&binary);
                let name = mapping.path.as_deref().unwrap_or_default();
                let otherwise = if go { Table::FramePointers } else { Table::Missing };
                self.keep(binary.image(), table, room, name, otherwise)
            }
            // Mapped code in another form than ELF was made at run time.
            Err(inspect::Error::NotElf { .. }) => File { table: Table::FramePointers, code: Vec::new() },
            Err(_) => File { table: Table::Missing, code: Vec::new() },
        });
        self.files.insert(key, file.clone());
        file
    }

    /// The kernel's code that is the same in all processes, read from this one.
    fn of_vdso(&mut self, room: u32) -> Option<File> {
        if let Some(known) = &self.vdso {
            return known.clone();
        }
        let image = vdso();
        let file = image.map(|image| {
            let table = UnwindTable::of_image(&image, false);
            self.keep(&image, table, room, "[vdso]", Table::Missing)
        });
        self.vdso = Some(file.clone());
        file
    }

    /// Notes the rows of a file, if there are some and there is room.
    fn keep(
        &mut self,
        image: &Image,
        table: Option<UnwindTable>,
        room: u32,
        name: &str,
        otherwise: Table,
    ) -> File {
        let code = image.segments().iter().filter(|s| s.executable);
        let code = code.map(|s| (s.offset, s.file_size, s.vaddr)).collect();
        let Some(table) = table.filter(|table| !table.rows().is_empty()) else {
            return File { table: otherwise, code };
        };
        let first = self.written + self.waiting.len() as u32;
        let fits = |count: &u32| {
            // Before the maps are made, there is room for everything.
            *count <= unwind::MOST_ROWS && (room == 0 || count.saturating_add(first) <= room)
        };
        let Some(count) = u32::try_from(table.rows().len()).ok().filter(fits) else {
            self.left_out.push(name.to_owned());
            return File { table: otherwise, code };
        };
        let without = match otherwise {
            Table::FramePointers => Step::FramePointer,
            Table::Rows { .. } | Table::Missing | Table::End => Step::Missing,
        };
        self.waiting.extend(table.rows().iter().map(|row| encoded(row.start, row.rule, without)));
        File { table: Table::Rows { base: table.base(), first, count }, code }
    }
}

/// A row as programs read it; `without` is for code that the table says nothing of.
fn encoded(start: u32, rule: Rule, without: Step) -> u64 {
    let (step, offset, saved) = match rule {
        Rule::Nothing => (without, 0, 0),
        Rule::Outermost => (Step::End, 0, 0),
        Rule::Unknown => (Step::Unknown, 0, 0),
        Rule::Signal => (Step::Signal, 0, 0),
        Rule::Frame(Cfa::Sp(offset), saved) => (Step::Sp, offset, saved),
        Rule::Frame(Cfa::Bp(offset), saved) => (Step::Bp, offset, saved),
        Rule::Frame(Cfa::Plt(from), saved) => (Step::Plt, from.into(), saved),
        Rule::Frame(Cfa::AtSp(offset), saved) => (Step::AtSp, offset, saved),
        Rule::Frame(Cfa::AtBp(offset), saved) => (Step::AtBp, offset, saved),
        Rule::Linked(cfa, link) => {
            let (alone, saved) = match link {
                Link::Register => (false, 0),
                Link::Alone(address) => (true, address),
                Link::Pair(pointer) => (false, pointer),
            };
            match cfa {
                Cfa::Sp(offset) => (if alone { Step::SpLink } else { Step::Sp }, offset, saved),
                Cfa::Bp(offset) => (if alone { Step::BpLink } else { Step::Bp }, offset, saved),
                Cfa::Plt(_) | Cfa::AtSp(_) | Cfa::AtBp(_) => (Step::Unknown, 0, 0),
            }
        }
    };
    unwind::row(start, step, offset, saved)
}

/// Bits of the addresses of programs: the stack, at least, is at their end.
#[must_use]
pub fn address_bits() -> u32 {
    let maps = Process::new(std::process::id()).maps().unwrap_or_default();
    let stack = maps.iter().filter(|m| m.path.as_deref() == Some("[stack]")).map(|m| m.end).max();
    stack.map_or(u64::BITS, |end| u64::BITS - end.leading_zeros())
}

/// The `vdso` as this process has it.
fn vdso() -> Option<Image> {
    let me = Process::new(std::process::id());
    let mappings = me.maps().ok()?;
    let mapping = mappings.iter().find(|m| m.path.as_deref() == Some("[vdso]"))?;
    let mut bytes = vec![0; usize::try_from(mapping.end - mapping.start).ok()?];
    std::fs::File::open("/proc/self/mem").ok()?.read_exact_at(&mut bytes, mapping.start).ok()?;
    Image::parse(bytes, Path::new("[vdso]")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_this_process_has_tables() {
        let unwinder = Unwinder::new(&[std::process::id()], None);
        let processes = unwinder.processes.borrow();
        let code = &processes[&std::process::id()].code;
        let here = the_code_of_this_process_has_tables as *const () as u64;
        let mapping = code.iter().find(|c| (c.start..c.end).contains(&here)).expect("this code is mapped");
        let Table::Rows { base, first, count } = mapping.table else { panic!("{mapping:x?}") };
        let tables = unwinder.tables.borrow();
        let rows = &tables.waiting[first as usize..(first + count) as usize];
        let at = u32::try_from(here - base).unwrap();
        let row = rows[rows.partition_point(|row| *row as u32 <= at) - 1];
        // A function begins with the return address on top of its stack.
        assert_eq!(row >> 32, unwind::row(0, Step::Sp, 1, 0) >> 32, "{row:x}");
        assert!(
            tables.vdso.as_ref().is_some_and(|v| matches!(v, Some(File { table: Table::Rows { .. }, .. })))
        );
        assert!(code.is_sorted_by_key(|c| c.start));
        assert!(unwinder.room() as usize > tables.waiting.len());
    }

    #[test]
    fn a_table_without_room_is_left_out() {
        let image = vdso().expect("every process has one");
        let table = UnwindTable::of_image(&image, false).expect("it has a table");
        let rows = table.rows().len() as u32;
        let mut tables = Tables::default();
        let kept = tables.keep(&image, Some(table.clone()), rows, "a", Table::Missing);
        assert!(matches!(kept.table, Table::Rows { first: 0, .. }));
        let kept = tables.keep(&image, Some(table), rows, "b", Table::Missing);
        assert!(matches!(kept.table, Table::Missing));
        assert_eq!(tables.left_out, ["b"]);
    }
}
