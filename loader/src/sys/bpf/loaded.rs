//! The BPF programs that the kernel has, whoever loaded them: their functions with types, and descriptors of them.

use super::{Attr, Command, object_info};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most functions of a program that are asked for, and most bytes of its types: above what programs have.
const MOST_FUNCTIONS: usize = 4096;
const MOST_TYPES: usize = 16 << 20;

/// A loaded program that has types.
#[derive(Debug)]
pub struct LoadedProgram {
    /// Its number, as bpftool shows it.
    pub id: u32,
    /// Its types: a BTF blob.
    pub types: Vec<u8>,
    /// The numbers of its functions in the types, the one that it starts in first.
    pub functions: Vec<u32>,
}

/// A descriptor of the program of that number.
///
/// # Errors
/// As the system call; `ENOENT` when there is none.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attr = Attr::new().u32(0, id);
    // SAFETY: there are no addresses in the block.
    unsafe { attr.call_fd(Command::ProgGetFdById) }
}

/// The programs that have types, in the order of their numbers. Those that end meanwhile are left out.
///
/// # Errors
/// As the system calls: `EPERM` without `CAP_SYS_ADMIN`.
pub fn loaded_programs() -> io::Result<Vec<LoadedProgram>> {
    let (mut found, mut id) = (Vec::new(), 0);
    loop {
        let mut attr = Attr::new().u32(0, id);
        // SAFETY: there are no addresses in the block.
        match unsafe { attr.call(Command::ProgGetNextId) } {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return Ok(found),
            other => other?,
        };
        id = attr.read_u32(4);
        found.extend(program_by_id(id).and_then(|program| described(id, program.as_fd())).ok().flatten());
    }
}

/// What is known of a program; `None` if it has no types.
fn described(id: u32, program: BorrowedFd<'_>) -> io::Result<Option<LoadedProgram>> {
    // struct bpf_prog_info: btf_id at 128, func_info_rec_size 132, func_info 136, nr_func_info 144.
    const INFO: usize = 208;
    let mut info = [0u8; INFO];
    object_info(program, &mut info)?;
    let word = |info: &[u8], at: usize| {
        info.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    };
    let (btf, count) = (word(&info, 128), word(&info, 144) as usize);
    if btf == 0 || count == 0 {
        return Ok(None);
    }
    // struct bpf_func_info: insn_off at 0, type_id 4.
    let mut records = vec![[0u32; 2]; count.min(MOST_FUNCTIONS)];
    let mut asked = [0u8; INFO];
    asked[132..136].copy_from_slice(&(size_of::<[u32; 2]>() as u32).to_ne_bytes());
    asked[136..144].copy_from_slice(&(records.as_mut_ptr() as u64).to_ne_bytes());
    asked[144..148].copy_from_slice(&(records.len() as u32).to_ne_bytes());
    info_with_buffer(program, &mut asked)?;
    records.truncate(word(&asked, 144) as usize);
    let functions = records.iter().map(|[_, ty]| *ty).collect();
    let mut attr = Attr::new().u32(0, btf);
    // SAFETY: there are no addresses in the block.
    let types = unsafe { attr.call_fd(Command::BtfGetFdById) }?;
    Ok(Some(LoadedProgram { id, types: blob(types.as_fd())?, functions }))
}

/// The bytes of a BTF object.
fn blob(btf: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    // struct bpf_btf_info: btf at 0, btf_size 8.
    let mut info = [0u8; 32];
    object_info(btf, &mut info)?;
    let size = |info: &[u8; 32]| {
        let [.., a, b, c, d] = *info.first_chunk::<12>().unwrap_or(&[0; 12]);
        u32::from_ne_bytes([a, b, c, d]) as usize
    };
    let mut bytes = vec![0u8; size(&info).min(MOST_TYPES)];
    let mut asked = [0u8; 32];
    asked[0..8].copy_from_slice(&(bytes.as_mut_ptr() as u64).to_ne_bytes());
    asked[8..12].copy_from_slice(&(bytes.len() as u32).to_ne_bytes());
    info_with_buffer(btf, &mut asked)?;
    Ok(bytes)
}

/// Asks about an object; `info` names one buffer, with its size, that the caller holds exclusively while this runs.
fn info_with_buffer(fd: BorrowedFd<'_>, info: &mut [u8]) -> io::Result<()> {
    let mut attr = Attr::new().fd(0, fd).u32(4, info.len() as u32).output(8, info);
    // SAFETY: the block names an exclusively borrowed structure of the size given; the callers above, the only ones, have put the address and
    // the length of a live buffer of theirs into it, and the kernel writes no more than that.
    unsafe { attr.call(Command::InfoByFd) }.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::tests::privileged;
    use super::*;

    #[test]
    fn programs_can_be_asked_for() {
        if !privileged("programs_can_be_asked_for") {
            return;
        }
        let programs = loaded_programs().unwrap();
        assert!(programs.iter().all(|p| !p.types.is_empty() && !p.functions.is_empty()), "{programs:?}");
        assert_eq!(program_by_id(u32::MAX).unwrap_err().raw_os_error(), Some(libc::ENOENT));
    }
}
