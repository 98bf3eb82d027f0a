//! What the checker asks about the machine. The loader answers from real binaries and the kernel; tests and
//! `gotrace check` answer from tables. `lang` itself never looks at a file.

use crate::goerror::ErrorType;
use crate::probe::{AttachPoint, Mode};
use crate::types::{Enum, Struct, Type};
use std::sync::Arc;

/// Answers questions about the host and the traced binaries.
pub trait Env {
    /// Instruction set of the traced machine.
    fn arch(&self) -> crate::arch::Arch;

    /// Everything that an attach point stands for. Wildcards are expanded. Kinds that need no look-up (`begin`,
    /// `interval`) are never asked.
    ///
    /// # Errors
    /// [`EnvError`] says why nothing matches, with what could have been meant.
    fn resolve(&self, point: &AttachPoint) -> Result<Vec<Match>, EnvError>;

    /// Whether the user wants a probe of this name (`--probe-filter`): `uprobe:./web:main.f`, `tracepoint:sched:sched_switch`, without
    /// wildcards. `begin` and `end` are never asked about.
    fn wants(&self, probe: &str) -> bool {
        let _ = probe;
        true
    }

    /// Which probes of the script are meant; of the others nothing is checked.
    fn mode(&self) -> Mode {
        Mode::All
    }

    /// Address of a symbol in a binary (`uaddr("main.counter")`). `binary` is the one that the probe traces.
    ///
    /// # Errors
    /// No such symbol, or no symbols at all.
    fn symbol_address(&self, binary: &str, symbol: &str) -> Result<SymbolAddress, EnvError>;

    /// A structure of a program with its members: of Go by the full name of the type, else by its tag, with the namespaces that it is in
    /// or without. `binary` is the one that the probe traces.
    fn go_struct(&self, binary: &str, name: &str) -> Option<Struct> {
        let _ = (binary, name);
        None
    }

    /// The whole names of the structures of a program that all are called so, where [`Env::go_struct`] has found more than one.
    fn same_names(&self, binary: &str, name: &str) -> Vec<String> {
        let _ = (binary, name);
        Vec::new()
    }

    /// A type of a program by its name, as [`Env::go_struct`]. Structures in it that have a name come without their members.
    fn binary_type(&self, binary: &str, name: TypeName<'_>) -> Option<Type> {
        let _ = (binary, name);
        None
    }

    /// The enumeration of a program that has an enumerator of this name, and its value.
    fn binary_enumerator(&self, binary: &str, name: &str) -> Option<(Enum, i64)> {
        let _ = (binary, name);
        None
    }

    /// A Go program, for probes that fire outside of its code.
    ///
    /// # Errors
    /// No such program, or it is not Go.
    fn go_program(&self, which: ProgramOf<'_>) -> Result<GoProgram, EnvError> {
        let _ = which;
        Err(EnvError { message: "no Go program is known".into(), ..EnvError::default() })
    }

    /// Whether a script may act on the machine (`--unsafe`).
    fn allows_unsafe(&self) -> bool {
        false
    }

    /// Whether the kernel has a function of that name that its type information describes.
    fn has_kernel_function(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Address of a symbol of the kernel (`kaddr("jiffies")`).
    ///
    /// # Errors
    /// No such symbol, or the kernel does not tell.
    fn kernel_symbol(&self, name: &str) -> Result<u64, EnvError> {
        Err(EnvError { message: format!("no symbol `{name}` in the kernel"), ..EnvError::default() })
    }

    /// Where a variable of the kernel is that each CPU has its own of (`percpu_kaddr("runqueues")`).
    ///
    /// # Errors
    /// No such variable, or the kernel does not tell.
    fn percpu_variable(&self, name: &str) -> Result<PerCpu, EnvError> {
        Err(EnvError { message: format!("no CPU has a variable `{name}`"), ..EnvError::default() })
    }

    /// Id of the control group of a directory in the unified hierarchy (`cgroupid("/sys/fs/cgroup/x")`).
    ///
    /// # Errors
    /// There is no such directory, or it is in no such hierarchy.
    fn cgroup_id(&self, path: &str) -> Result<u64, EnvError> {
        Err(EnvError { message: format!("`{path}` is no control group"), ..EnvError::default() })
    }

    /// A structure or union of the running kernel with its members, by its tag. Structures in it that have a name come without
    /// their members.
    fn kernel_struct(&self, name: &str) -> Option<Struct> {
        let _ = name;
        None
    }

    /// The enumeration of the running kernel that has an enumerator of this name, and its value.
    fn kernel_enumerator(&self, name: &str) -> Option<(Enum, i64)> {
        let _ = name;
        None
    }

    /// An enumeration of the running kernel by its tag.
    fn kernel_enum(&self, name: &str) -> Option<Enum> {
        let _ = name;
        None
    }

    /// What the running kernel calls `name` (a `typedef`): `pid_t`, `gfp_t`.
    fn kernel_typedef(&self, name: &str) -> Option<Type> {
        let _ = name;
        None
    }

    /// Where a Go program has the types of this name, as `%T` prints it.
    fn go_type_addresses(&self, binary: &str, name: &str) -> Vec<SymbolAddress> {
        let _ = (binary, name);
        Vec::new()
    }

    /// The types of a Go program that interfaces hold and that have this name: as `%T` prints it, or with the whole import path.
    fn go_dynamic_types(&self, binary: &str, name: &str) -> Vec<DynamicType> {
        let _ = (binary, name);
        Vec::new()
    }

    /// The error types of a Go program that [`crate::goerror`] knows. Their [`ErrorType::address`] is 0: it is beside them.
    fn go_errors(&self, binary: &str) -> Vec<(SymbolAddress, ErrorType)> {
        let _ = binary;
        Vec::new()
    }

    /// Process id of the child started by `-c` or given by `-p`; `None` without either.
    fn child(&self) -> Option<u32>;

    /// The script's arguments: `$1` is the first.
    fn params(&self) -> &[String];

    /// What the option `--name=value` of the script was given; an empty text for `--name` alone, `None` when it was not given.
    fn option(&self, name: &str) -> Option<&str> {
        let _ = name;
        None
    }
}

/// A type that is asked for by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TypeName<'a> {
    /// `struct T`, `union T`
    Record(&'a str),
    /// `enum T`
    Enum(&'a str),
    /// What a `typedef` calls so.
    Typedef(&'a str),
}

/// Where a CPU's own variable of the kernel is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PerCpu {
    /// At the symbol's address plus the CPU's number in the array `__per_cpu_offset`.
    Offset {
        /// Address of the symbol.
        symbol: u64,
        /// Address of the array.
        offsets: u64,
    },
    /// So many bytes, perhaps negative, behind the CPU's `runqueues`.
    FromRunQueue(i64),
}

/// How a program is named to [`Env::go_program`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProgramOf<'a> {
    /// What the process of `-p` or `-c` runs.
    Process,
    /// A binary, as the script names it.
    Binary(&'a str),
}

/// A Go program whose threads are recognised wherever a probe fires: by the file that their process runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoProgram {
    /// How [`Env::go_struct`] knows it.
    pub binary: String,
    /// Its file.
    pub file: FileIdentity,
    /// Where its threads keep the current goroutine.
    pub goroutine: Goroutine,
}

/// A file as the kernel knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileIdentity {
    /// `s_dev` of its file system: 12 bits of major and 20 bits of minor number.
    pub device: u32,
    /// `i_ino`.
    pub inode: u64,
}

/// A type of the values that interfaces of a Go program hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DynamicType {
    /// Where the program describes it: what an interface says the type of its value is.
    pub address: SymbolAddress,
    /// Its name with the whole import path.
    pub name: String,
    /// The type of what the second word of the interface is the address of: of a pointer what it points to, else the type itself. `None`
    /// where that word is the value.
    pub pointee: Option<Type>,
}

/// Where a symbol of a traced binary is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SymbolAddress {
    /// At the same address in every process.
    Fixed(u64),
    /// In a position-independent binary: so far from [`crate::hir::Builtin::CodeBase`].
    FromCodeBase(u64),
}

/// Why a look-up failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvError {
    /// One sentence: `no function matches "main.prepare"`.
    pub message: String,
    /// Names that were near.
    pub similar: Vec<String>,
    /// More lines of explanation.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

/// One thing that an attach point stands for.
#[derive(Clone, Debug)]
pub enum Match {
    /// A tracepoint.
    Tracepoint(Tracepoint),
    /// Places in the code of a binary that need the same code.
    Uprobe(UprobeMatch),
    /// A raw tracepoint.
    RawTracepoint(KernelFunction),
    /// A function that the kernel can call programs from.
    Fentry(KernelFunction),
    /// Places in the kernel's code.
    Kprobe(Vec<KernelPlace>),
    /// A walk over objects of the kernel: the function that stands for the programs that are called for each of them. Its first
    /// parameter is about the walk (`struct bpf_iter_meta`), the others are about the object.
    Iter(KernelFunction),
}

/// A kernel tracepoint with its record layout.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tracepoint {
    /// Subsystem, such as `syscalls`.
    pub category: String,
    /// Event, such as `sys_enter_openat`.
    pub name: String,
    /// The record, common fields included; offsets are from the start of the program's context.
    pub args: Struct,
}

/// A function of the kernel, or a raw tracepoint, which is like one, and what is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelFunction {
    /// Its name.
    pub name: String,
    /// The module it belongs to; `None` for the kernel itself.
    pub module: Option<String>,
    /// The number of the loaded BPF program that it belongs to.
    pub program: Option<u32>,
    /// Its number in the type information of the kernel, module or program; 0 for raw tracepoints.
    pub btf_id: u32,
    /// The parameters; `None` if the kernel does not describe them.
    pub params: Option<Vec<KernelParam>>,
    /// The result; `None` if there is none, or none that is known.
    pub result: Option<Type>,
}

/// A parameter of a [`KernelFunction`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelParam {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Which of the 8-byte words of the program's context holds it, or the first part of it.
    pub word: u8,
}

impl KernelFunction {
    /// How an attach point names it: `vfs_read`, `nf_tables:nft_do_chain`, `bpf:17:count`.
    #[must_use]
    pub fn path(&self) -> String {
        match (&self.module, self.program) {
            (_, Some(id)) => format!("bpf:{id}:{}", self.name),
            (Some(module), None) => format!("{module}:{}", self.name),
            (None, None) => self.name.clone(),
        }
    }

    /// Number of words of the context before that of the result.
    #[must_use]
    pub fn words(&self) -> u8 {
        let last = self.params.as_ref().and_then(|params| params.last());
        last.map_or(0, |p| p.word + p.ty.size().div_ceil(8).max(1) as u8)
    }
}

/// A place in the kernel's code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelPlace {
    /// The function, or what stands for one at a bare address.
    pub function: String,
    /// Its module; `None` for the kernel itself.
    pub module: Option<String>,
    /// Bytes from the function's start.
    pub offset: u64,
    /// The function's address; 0 if the kernel hides it.
    pub address: u64,
}

/// Sites of one binary that need the same code.
#[derive(Clone, Debug)]
pub struct UprobeMatch {
    /// The binary as the script names it, for messages and `probe`.
    pub binary: String,
    /// Absolute path for the kernel.
    pub path: String,
    /// What code generation must know.
    pub class: UprobeClass,
    /// The places.
    pub sites: Vec<NamedSite>,
    /// Things the user should be told (sites left out, functions without a return).
    pub warnings: Vec<String>,
}

/// A site and the function it is in.
#[derive(Clone, Debug)]
pub struct NamedSite {
    /// Full name of the function.
    pub function: String,
    /// File offset that the kernel attaches to.
    pub offset: u64,
    /// File offset of the semaphore of a USDT probe, which the kernel counts up while the site is traced; 0 for none.
    pub semaphore: u32,
}

/// A site of a checked program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Site {
    /// File offset that the kernel attaches to.
    pub offset: u64,
    /// Index into [`crate::hir::Program::functions`].
    pub function: u32,
    /// As [`NamedSite::semaphore`].
    pub semaphore: u32,
}

impl Site {
    /// What the program finds as the cookie of the attachment: the function in the low half, the file offset in the high one.
    #[must_use]
    pub fn cookie(&self) -> u64 {
        u64::from(self.function) | self.offset << 32
    }
}

/// What the code of a uprobe program depends on. Sites of equal class share a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UprobeClass {
    /// Calling convention at the sites.
    pub abi: Abi,
    /// How the return is seen; [`Stop::Entry`] for entry probes.
    pub stop: Stop,
    /// Where the current goroutine is found; `None` for binaries that are not Go.
    pub goroutine: Option<Goroutine>,
    /// What is known of the parameters and results; the same for all sites.
    pub signature: SignatureOf,
    /// Offset in bytes from the stack pointer of the first result of [`Abi::GoStack`] functions, at a
    /// [`Stop::ReturnInsn`]; `None` when it is not known or the convention does not need it.
    pub result_offset: Option<u32>,
    /// Where the argument words are.
    pub words: ArgumentWords,
    /// The arguments of the sites of a USDT probe; `None` for functions.
    pub usdt: Option<Arc<[UsdtArg]>>,
    /// The probed instructions are plain returns, and the program is to do them itself instead of leaving them to the kernel, which
    /// would single-step them. `None` for other instructions, and where the kernel does not allow it.
    pub own_return: Option<CodeStart>,
}

/// File offset of the byte at `mm_struct.start_code` in processes that run a binary: where a site is in memory follows from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CodeStart(pub u64);

/// Where the argument words of a function are (`sargN`, `argN`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ArgumentWords {
    /// One after the other in the registers of the convention and then on the stack, as many as may be asked for.
    InOrder,
    /// As far as the script asks for them.
    Known {
        /// Those that are known, in source order.
        places: Vec<WordPlace>,
        /// There are no others.
        all: bool,
        /// The probe is on this function alone, so that asking for another one is a mistake. Where it stands for several functions, the
        /// others may have it, and here it is zero.
        alone: bool,
    },
}

/// Where an argument word is at the function's entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WordPlace {
    /// In a register, by its index in [`crate::arch::Arch::registers`].
    Register(u8),
    /// In memory, so many bytes above the stack pointer.
    Stack(u32),
}

/// An argument of a USDT probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UsdtArg {
    /// A number.
    Known {
        /// Its type: an integer.
        ty: Type,
        /// Where it is at the site.
        place: UsdtPlace,
    },
    /// One that cannot be read, as the binary describes it.
    Unknown(String),
}

/// Where an argument of a USDT probe is. Registers are indices in [`crate::arch::Arch::registers`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UsdtPlace {
    /// Here.
    Constant(i64),
    /// In a register, so many bits above the lowest one.
    Register {
        /// The register.
        index: u8,
        /// 0 or 8.
        shift: u8,
    },
    /// In memory, at the sum of these.
    Memory {
        /// A register.
        base: Option<u8>,
        /// A register and what it is multiplied by: 1, 2, 4 or 8.
        index: Option<(u8, u8)>,
        /// Bytes.
        displacement: i64,
    },
}

/// What is known of a function's parameters and results.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum SignatureOf {
    /// Nobody asked: the script does not mention them.
    #[default]
    NotAsked,
    /// Nothing, for this reason (a sentence without a full stop).
    Unknown(String),
    /// Everything.
    Known(Arc<Signature>),
}

/// Parameters and results of a Go function, in source order; the receiver is the first parameter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signature {
    /// The parameters.
    pub params: Vec<Param>,
    /// The results.
    pub results: Vec<Param>,
    /// Where the types were found.
    pub types_from: TypesFrom,
}

/// Where the types of parameters and results were found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TypesFrom {
    /// The debug information, with names.
    #[default]
    DebugInfo,
    /// The type data that every Go program has: parameters and results have no names.
    RuntimeTypes,
}

/// A parameter or result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Param {
    /// Its name; empty if it has none or it is not known.
    pub name: String,
    /// Its type. Structures it points to have no members here; [`Env::go_struct`] gives them.
    pub ty: Type,
    /// Where it is at the sites.
    pub place: ParamPlace,
}

/// Where a parameter or result is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ParamPlace {
    /// In registers, piece by piece.
    Registers(Vec<Piece>),
    /// In memory, so many bytes above the stack pointer.
    Stack(u32),
    /// In memory, whose address is at this place: a copy that the caller made.
    Behind(Box<ParamPlace>),
}

/// A part of a value that has a register of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Index in [`crate::arch::Arch::registers`]; `None` for a floating-point register, which BPF programs cannot read.
    pub register: Option<u8>,
    /// Where the part lies in the value, in bytes.
    pub offset: u32,
    /// Its size in bytes, at most 8.
    pub size: u32,
    /// How many bits above the lowest one of the register it starts: structures of C share registers.
    pub shift: u8,
}

/// Calling conventions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Abi {
    /// The C ABI of the machine (System V on x86-64).
    C,
    /// Go's ABI0: arguments and results on the stack.
    GoStack,
    /// Go's ABIInternal: registers (amd64 since 1.17, arm64 since 1.18).
    GoRegisters,
}

/// What kind of place a site is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stop {
    /// At entry: the stack pointer points at the return address, arguments are where the convention puts them.
    Entry,
    /// At the `jbe` of a Go stack check: as [`Stop::Entry`], but the program must do nothing when the flags say that the
    /// branch is about to be taken (carry or zero set), because the function is then entered again.
    EntryAtStackCheck,
    /// At an instruction inside the function (`f+12`): arguments may be gone.
    Inside,
    /// At a return instruction: the stack pointer points at the return address.
    ReturnInsn,
    /// The kernel's uretprobe: the return address has been popped.
    KernelReturn,
}

/// Where a Go program keeps the current goroutine: offsets in bytes, by Go release.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Goroutine {
    /// The release that these are of: the `N` of Go 1.N.
    pub release: u16,
    /// The g register (R14, X28) holds g at the sites.
    pub in_register: bool,
    /// Offset of the TLS slot of g from the thread's base register; `None` where only the g register has it (programs without cgo on arm64).
    pub tls_offset: Option<i32>,
    /// `g.goid`
    pub goid: u32,
    /// `g.m`
    pub m: u32,
    /// `m.curg`
    pub curg: u32,
    /// `g.stack.hi`
    pub stack_hi: u32,
}
