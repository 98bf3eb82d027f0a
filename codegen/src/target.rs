//! What code generation must know about the machine that will run the programs. Every decision that depends on a
//! kernel version goes through here; the loader fills it in by asking the kernel.

use crate::kernel::Fields;
use lang::arch::Arch;
use std::collections::HashMap;

/// The machine and the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Instruction set.
    pub arch: Arch,
    /// Number of possible CPUs.
    pub cpus: u32,
    /// Links of many uprobes (`BPF_TRACE_UPROBE_MULTI`, Linux 6.6): sets the attach type of uprobe programs.
    pub uprobe_multi: bool,
    /// Links of many kernel functions (`BPF_TRACE_KPROBE_MULTI`, Linux 5.18).
    pub kprobe_multi: bool,
    /// Atomic instructions that give the former value (Linux 5.12). Kernels without them never preempt a program in favour of another
    /// one on its CPU, they only interrupt it; what is claimed by two plain instructions there is safe, as the one that comes between
    /// is done before the first goes on.
    pub atomic_fetch: bool,
    /// Programs of iterators over threads leave out other processes than [`Target::pid`], as the kernel cannot (before Linux 6.1).
    pub filter_walks: bool,
    /// `bpf_task_pt_regs` (Linux 5.15), needed for the direct caller in stacks of Go code at events outside of it.
    pub task_registers: bool,
    /// `bpf_map_lookup_percpu_elem` (Linux 5.19), needed to read aggregations inside a script.
    pub percpu_lookup: bool,
    /// BTF id of the kernel function `bpf_map_sum_elem_count` (Linux 6.6); without it, `len` of a map walks over it (5.13).
    pub map_count: Option<u32>,
    /// BTF id of the kernel function `bpf_strstr` (Linux 6.17); without it, texts are searched in loops.
    pub strstr: Option<u32>,
    /// How programs read the kernel's memory.
    pub kernel_reads: KernelReads,
    /// Offset in bytes of the thread's TLS base in the kernel's `task_struct` (`thread.fsbase`, `thread.uw.tp_value`), from the
    /// kernel's BTF; `None` where there is no BTF.
    pub tls_base: Option<u32>,
    /// How the kernel's structures lead from a thread to the file that its process runs; `None` where there is no BTF.
    pub executable: Option<ExecutableOf>,
    /// What programs must know to do the return instruction that they are attached to; `None` where the kernel does not let them.
    pub returning: Option<Returning>,
    /// How loops are made that the verifier need not follow to their end.
    pub loops: Loops,
    /// Room for unwinding tables; `None` in runs that no process is named for, whose stacks could be walked by them.
    pub unwind: Option<Unwind>,
    /// Offsets of the members of other kernel structures that the script needs; those that this kernel does not describe are missing.
    pub fields: Fields,
    /// Programs that are not tied to a process run their body only for this process (`-p`, `-c`).
    pub pid: Option<u32>,
    /// Device and inode of the pid namespace that `pid` and `tid` are told in; `None` for the initial one.
    pub pid_namespace: Option<(u64, u64)>,
    /// Count reads of traced memory that fail, by place in the script (`-k`).
    pub count_read_errors: bool,
    /// `CLOCK_BOOTTIME` in nanoseconds that `elapsed` counts from.
    pub start: u64,
    /// Nanoseconds that `CLOCK_TAI` is ahead of `CLOCK_BOOTTIME`.
    pub tai_offset: u64,
    /// What must be added to the boot clock to get nanoseconds since 1970.
    pub unix_offset: u64,
}

/// Offsets in bytes, from the kernel's BTF, along `task->mm->exe_file->f_inode` to `i_ino` and `i_sb->s_dev`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExecutableOf {
    /// `task_struct.mm`; null in kernel threads.
    pub mm: u32,
    /// `mm_struct.exe_file`
    pub file: u32,
    /// `file.f_inode`
    pub inode: u32,
    /// `inode.i_ino`
    pub number: u32,
    /// `inode.i_sb`
    pub file_system: u32,
    /// `super_block.s_dev`
    pub device: u32,
}

/// What a uprobe program must know of a kernel that lets it write registers (x86-64), to do the return instruction it is attached to.
/// Offsets in bytes, from the kernel's BTF.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Returning {
    /// `task_struct.mm`
    pub mm: u32,
    /// `mm_struct.start_code`
    pub start_code: u32,
    /// `task_struct.thread.features`, whose lowest bit tells that the thread has a shadow stack; `None` for a kernel without them.
    pub thread_features: Option<u32>,
}

/// How programs read a number from the kernel's memory. A read that fails gives 0 in every way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KernelReads {
    /// By the helper `bpf_probe_read_kernel`, into the stack.
    Helper,
    /// By plain loads of these members, through pointers that the verifier knows (Linux 5.11), else by the helper.
    Members(Members),
    /// By a plain load, which the kernel guards.
    Cast(ReadOnlyCast),
}

impl KernelReads {
    /// What makes any address one that programs may load from.
    #[must_use]
    pub fn cast(&self) -> Option<ReadOnlyCast> {
        match self {
            KernelReads::Cast(cast) => Some(*cast),
            KernelReads::Helper | KernelReads::Members(_) => None,
        }
    }
}

/// What the verifier lets programs load, by structure, offset and size.
pub type Members = HashMap<(String, u32, u32), Leads>;

/// What a load of a member gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leads {
    /// A number.
    Number,
    /// A pointer to a structure that the verifier knows too.
    Pointer,
}

/// The kernel function `bpf_rdonly_cast` (Linux 6.2): it makes any number a pointer to a structure that the verifier lets programs read.
/// The call itself becomes a move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadOnlyCast {
    /// BTF id of the function.
    pub function: u32,
    /// BTF id of a structure that begins with a 64-bit number.
    pub structure: u32,
}

/// Room for unwinding tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unwind {
    /// Rows of all tables together, of 8 bytes each.
    pub rows: u32,
    /// Bits of the addresses of programs: processors that sign return addresses (arm64) put signatures above them.
    pub address_bits: u32,
}

/// How the loops of a script are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loops {
    /// With the instruction `may_goto` (Linux 6.9): the kernel counts the rounds and ends loops that run away.
    MayGoto,
    /// With the helper `bpf_loop` (Linux 5.17), which calls a function for each round.
    Callback,
    /// Plain jumps back (Linux 5.3): the verifier follows every round.
    Plain,
}

impl Target {
    /// A current kernel on `arch` with `cpus` CPUs and no process filter: for tests and `gotrace build`.
    #[must_use]
    pub fn recent(arch: Arch, cpus: u32) -> Target {
        Target {
            arch,
            cpus,
            uprobe_multi: true,
            kprobe_multi: false,
            atomic_fetch: true,
            filter_walks: false,
            task_registers: false,
            percpu_lookup: true,
            map_count: None,
            strstr: None,
            kernel_reads: KernelReads::Helper,
            tls_base: None,
            executable: None,
            returning: None,
            loops: Loops::MayGoto,
            unwind: None,
            fields: Fields::new(),
            pid: None,
            pid_namespace: None,
            count_read_errors: false,
            start: 0,
            tai_offset: 0,
            unix_offset: 0,
        }
    }
}
