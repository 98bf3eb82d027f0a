//! Sites of user-space probes: functions by name and pattern, offsets, addresses, in Go and other binaries.
//!
//! On a Go binary a function's entry is the site that fires once per call, and its returns are its return instructions;
//! [`inspect::go`] finds both. C code in the same binary (cgo) and other binaries have the first instruction and the
//! kernel's uretprobe. Source lines are in [`line`].

mod line;
mod name;
mod native_line;
mod similar;
mod words;

use super::go::{Structures, Types};
use super::native;
use crate::target;
use inspect::demangle;
use inspect::elf::{Arch, Binary, Symbol, SymbolKind};
use inspect::glob::Glob;
use inspect::go::prologue::NoSite;
use inspect::go::{GoBinary, GoFunc, abi};
use inspect::native::Debug;
use inspect::uprobe::{Treatment, is_boundary, is_stack_return, treatment};
use lang::env::{
    Abi, ArgumentWords, CodeStart, EnvError, Goroutine, Match, NamedSite, Param, ParamPlace, SignatureOf,
    Stop, UprobeClass, UprobeMatch,
};
use lang::probe::{UprobeSpec, Wants};
use lang::types::Type;
use name::Names;
use std::cell::OnceCell;
use std::collections::HashSet;

/// Parts of the symbols of copies that compilers make of functions.
const COPIES: [&str; 5] = [".isra.", ".constprop.", ".part.", ".cold", "[clone"];

/// Names spelled out in a warning about many functions.
const NAMED_IN_WARNING: usize = 3;
/// The section with a compressed file of the symbols that the dynamic linker does not need ("MiniDebugInfo").
const MINI_DEBUG_INFO: &str = ".gnu_debugdata";

/// Everything that a uprobe attach point stands for in a binary.
pub(super) fn resolve(
    name: &str,
    file: &Binary,
    spec: &UprobeSpec,
    ret: bool,
    wants: Wants,
    known: Known<'_>,
) -> Result<Vec<Match>, EnvError> {
    let go = file.go().map_err(|e| EnvError { message: e.to_string(), ..EnvError::default() })?;
    let mut sites = Sites::new(name, file, go, wants, known);
    match spec {
        UprobeSpec::Function(pattern) => sites.functions(pattern, ret)?,
        UprobeSpec::Demangled(pattern) => sites.demangled(pattern, ret)?,
        UprobeSpec::Offset(function, offset) => sites.inside(function, *offset)?,
        UprobeSpec::Address(vaddr) => sites.address(*vaddr)?,
        UprobeSpec::Line { file, line } => sites.line(file, *line)?,
    }
    Ok(sites.finish())
}

/// The structures that were met so far.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// Of Go programs.
    pub go: &'a Structures,
    /// Of others.
    pub native: &'a native::Structures,
}

/// What was left out of a match, by reason.
#[derive(Default)]
struct LeftOut {
    reason: String,
    functions: Vec<String>,
}

struct Sites<'a> {
    name: &'a str,
    file: &'a Binary,
    go: Option<&'a GoBinary>,
    /// Where the goroutine is found in C code of the binary.
    goroutine: Option<Goroutine>,
    wants: Wants,
    known: Known<'a>,
    /// Debug information of C, C++ and Rust, once it was asked for.
    debug: OnceCell<Option<Debug<'a>>>,
    /// Whether the kernel lets programs do returns, once that was asked.
    returns: OnceCell<bool>,
    /// The attach point names one function.
    alone: bool,
    groups: Vec<(UprobeClass, Vec<NamedSite>)>,
    left_out: Vec<LeftOut>,
}

impl<'a> Sites<'a> {
    fn new(
        name: &'a str,
        file: &'a Binary,
        go: Option<&'a GoBinary>,
        wants: Wants,
        known: Known<'a>,
    ) -> Sites<'a> {
        let goroutine = go.map(goroutine);
        Sites {
            name,
            file,
            go,
            goroutine,
            wants,
            known,
            debug: OnceCell::new(),
            returns: OnceCell::new(),
            alone: true,
            groups: Vec::new(),
            left_out: Vec::new(),
        }
    }

    fn debug(&self) -> Option<&Debug<'a>> {
        self.debug.get_or_init(|| Debug::open(self.file)).as_ref()
    }

    fn add(&mut self, class: UprobeClass, function: &str, vaddr: u64) {
        let Some(offset) = self.file.file_offset(vaddr) else {
            return self.leave_out("it has no code in the file", function);
        };
        let class = UprobeClass { own_return: self.own_return(class.stop, vaddr), ..class };
        let site = NamedSite { function: function.to_owned(), offset, semaphore: 0 };
        match self.groups.iter_mut().find(|(c, _)| *c == class) {
            Some((_, sites)) => sites.push(site),
            None => self.groups.push((class, vec![site])),
        }
    }

    /// Whether a program at this place is to do a return itself. At the entry and inside of functions too: another program may be
    /// at the same place.
    fn own_return(&self, stop: Stop, vaddr: u64) -> Option<CodeStart> {
        let code = self.file.read(vaddr, 1)?;
        let may = || *self.returns.get_or_init(|| target::returning().is_ok());
        if stop == Stop::KernelReturn || !is_stack_return(self.file.arch(), code) || !may() {
            return None;
        }
        self.file.image().code_start(vaddr).map(CodeStart)
    }

    fn leave_out(&mut self, reason: &str, function: &str) {
        match self.left_out.iter_mut().find(|l| l.reason == reason) {
            Some(l) => l.functions.push(function.to_owned()),
            None => self
                .left_out
                .push(LeftOut { reason: reason.to_owned(), functions: vec![function.to_owned()] }),
        }
    }

    fn functions(&mut self, pattern: &str, ret: bool) -> Result<(), EnvError> {
        let glob = Glob::new(pattern);
        let in_go = self.go.map(|go| go.matching(&glob)).unwrap_or_default();
        self.alone = glob.literal().is_some();
        for function in &in_go {
            if ret { self.go_returns(function) } else { self.go_entry(function) }
        }
        if in_go.is_empty() || glob.literal().is_none() {
            self.native(&Names::new(pattern, false), ret);
        }
        if self.groups.is_empty() {
            return Err(self.nothing(pattern, ret));
        }
        Ok(())
    }

    fn demangled(&mut self, pattern: &str, ret: bool) -> Result<(), EnvError> {
        self.native(&Names::new(pattern, true), ret);
        if self.groups.is_empty() { Err(self.nothing(pattern, ret)) } else { Ok(()) }
    }

    fn go_entry(&mut self, function: &GoFunc<'_>) {
        match function.entry_site() {
            Ok(site) => {
                let stop = if site.needs_flag_test { Stop::EntryAtStackCheck } else { Stop::Entry };
                self.add(self.go_class(function, stop), function.name(), site.addr);
            }
            // Without the address, so that equal reasons are told together.
            Err(NoSite::Refused { refusal, .. }) => {
                self.leave_out(
                    &format!("the kernel accepts no probe at its entry ({refusal})"),
                    function.name(),
                );
            }
            Err(why) => self.leave_out(&why.to_string(), function.name()),
        }
    }

    fn go_returns(&mut self, function: &GoFunc<'_>) {
        let returns = function.returns();
        let mut class = self.go_class(function, Stop::ReturnInsn);
        if let SignatureOf::Known(signature) = &class.signature {
            match signature.results.as_slice() {
                [] => return self.leave_out("it has no result for `retval`", function.name()),
                [Param { ty: Type::Float(_), place: ParamPlace::Registers(_), .. }] => {
                    let reason = "its result is in a floating-point register, which BPF programs cannot read";
                    return self.leave_out(reason, function.name());
                }
                _ => {}
            }
        }
        if self.wants.result && class.abi == Abi::GoStack {
            match self.result_offset(function) {
                Ok(offset) => class.result_offset = offset,
                Err(reason) => return self.leave_out(&reason, function.name()),
            }
        }
        for site in &returns.sites {
            self.add(class.clone(), function.name(), *site);
        }
        for (_, refusal) in &returns.refused {
            self.leave_out(
                &format!("the kernel accepts no probe on a return of it ({refusal})"),
                function.name(),
            );
        }
        if let Some(jump) = returns.tail_jumps.first() {
            let target = jump.target.and_then(|t| self.go?.function_at(t));
            let to = target.map_or_else(|| "another function".to_owned(), |t| t.name().to_owned());
            self.leave_out(
                &format!("it leaves by a jump to {to}, which returns in its place"),
                function.name(),
            );
        } else if returns.unreadable_at.is_some() {
            self.leave_out("its code cannot be decoded", function.name());
        } else if returns.sites.is_empty() && returns.refused.is_empty() {
            self.leave_out("it never returns", function.name());
        }
    }

    /// Where the first result of a function with stack arguments lies at its returns, or why the function has none to
    /// read. `None` if no function's is known, because the program is stripped: then the use of `retval` is the error.
    fn result_offset(&self, function: &GoFunc<'_>) -> Result<Option<u32>, String> {
        let Some(go) = self.go else { return Ok(None) };
        match go.signature(function) {
            Ok(Some(signature)) if signature.results.is_empty() => {
                Err("it has no result for `retval`".into())
            }
            Ok(Some(signature)) if signature.first_result_offset().is_some() => {
                Ok(signature.first_result_offset())
            }
            Ok(None) if !go.has_debug_info() && go.release() < abi::registers_since(go.arch()) => Ok(None),
            Ok(_) => Err("its results are on the stack, at a place that nothing tells".into()),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Parameters and results, if the script asks about them.
    fn signature(&self, function: &GoFunc<'_>, stop: Stop) -> SignatureOf {
        let at_return = matches!(stop, Stop::ReturnInsn | Stop::KernelReturn);
        let asked = if at_return { self.wants.result } else { self.wants.args };
        match self.go {
            Some(go) if asked => {
                let types = Types { binary: self.name, go, structures: self.known.go };
                let found = types.signature(function, at_return);
                match found {
                    // Without types `args` is an error, and this is what helps to write it by words.
                    SignatureOf::Unknown(reason) if self.wants.args => {
                        SignatureOf::Unknown(with_shape(reason, function))
                    }
                    found => found,
                }
            }
            _ => SignatureOf::NotAsked,
        }
    }

    fn go_class(&self, function: &GoFunc<'_>, stop: Stop) -> UprobeClass {
        let in_registers = function.abi() == abi::Abi::Registers;
        UprobeClass {
            abi: if in_registers { Abi::GoRegisters } else { Abi::GoStack },
            stop,
            // ABIInternal keeps g in a register; on arm64 all Go code does.
            goroutine: self
                .goroutine
                .map(|g| Goroutine { in_register: in_registers || self.file.arch() == Arch::Aarch64, ..g }),
            signature: self.signature(function, stop),
            result_offset: None,
            words: self.words(function, stop),
            usdt: None,
            own_return: None,
        }
    }

    /// Functions that are not Go's: of the symbol tables, and of C code that Go's own table names too.
    fn native(&mut self, names: &Names, ret: bool) {
        let (file, go) = (self.file, self.go);
        let symbols = file.functions().filter(|s| s.kind == SymbolKind::Function).map(|s| (s.name, s.addr));
        let linked_in = go.into_iter().flat_map(GoBinary::foreign_functions).map(|f| (f.name(), f.entry()));
        let all: Vec<(&str, u64)> = symbols.chain(linked_in).collect();
        let mut seen = HashSet::new();
        for (name, addr) in names.select(all.iter().copied()) {
            let in_go = go.and_then(|go| go.function_at(addr)).is_some_and(|f| !f.is_foreign());
            // Aliases name one function: it is counted once.
            if !in_go && seen.insert(addr) {
                self.native_site(&name, addr, ret);
            }
        }
    }

    /// The symbol of a function, by either name.
    fn native_symbol(&self, name: &str) -> Option<Symbol<'a>> {
        let functions = || self.file.functions().filter(|s| s.kind == SymbolKind::Function);
        let named = functions().find(|s| s.name == name);
        named.or_else(|| functions().find(|s| demangle::names(s.name).iter().any(|n| n == name)))
    }

    fn native_site(&mut self, name: &str, vaddr: u64, ret: bool) {
        if let Some(Treatment::Refused(why)) =
            self.file.read(vaddr, 16).map(|code| treatment(self.file.arch(), code))
        {
            return self
                .leave_out(&format!("the kernel accepts no probe on its first instruction ({why})"), name);
        }
        let stop = if ret { Stop::KernelReturn } else { Stop::Entry };
        let signature = self.native_signature(name, vaddr, stop);
        if let (true, SignatureOf::Known(signature)) = (ret, &signature) {
            match signature.results.first() {
                None => return self.leave_out("it has no result for `retval`", name),
                Some(Param { ty: Type::Float(_), .. }) => {
                    let reason = "its result is in a floating-point register, which BPF programs cannot read";
                    return self.leave_out(reason, name);
                }
                Some(_) => {}
            }
        }
        self.add(UprobeClass { signature, ..self.native_class(stop) }, name, vaddr);
    }

    /// What is said of parameters inside of a function.
    fn inside_signature(&self) -> SignatureOf {
        match self.wants.args {
            true => SignatureOf::Unknown("they are known where the function starts, not inside it".into()),
            false => SignatureOf::NotAsked,
        }
    }

    /// Parameters and the result of a function that is not Go's, if the script asks about them.
    fn native_signature(&self, name: &str, entry: u64, stop: Stop) -> SignatureOf {
        let asked = match stop {
            Stop::KernelReturn => self.wants.result,
            Stop::Inside => return self.inside_signature(),
            _ => self.wants.args,
        };
        if !asked {
            return SignatureOf::NotAsked;
        }
        if let Some(mark) = COPIES.iter().find(|mark| name.contains(**mark)) {
            let mark = mark.trim_start_matches('[');
            return SignatureOf::Unknown(format!(
                "it is a copy that the compiler made of a function ({mark}), whose parameters may be others"
            ));
        }
        let at_return = stop == Stop::KernelReturn;
        native::signature(self.name, self.debug(), entry, at_return, self.known.native)
    }

    fn native_class(&self, stop: Stop) -> UprobeClass {
        // C code under cgo runs for a goroutine too; the g register is not its own there.
        UprobeClass {
            abi: Abi::C,
            stop,
            goroutine: self.goroutine,
            signature: SignatureOf::NotAsked,
            result_offset: None,
            words: ArgumentWords::InOrder,
            usdt: None,
            own_return: None,
        }
    }

    fn inside(&mut self, name: &str, offset: u64) -> Result<(), EnvError> {
        let go_function = self.go.and_then(|go| go.find(name));
        let (entry, code, class) = match go_function {
            Some(f) => {
                (f.entry(), f.code(), self.go_class(&f, if offset == 0 { Stop::Entry } else { Stop::Inside }))
            }
            None => {
                let symbol = self.native_symbol(name).ok_or_else(|| self.nothing(name, false))?;
                let stop = if offset == 0 { Stop::Entry } else { Stop::Inside };
                let code = self.file.read(symbol.addr, symbol.size as usize).unwrap_or_default();
                let signature = match stop {
                    Stop::Entry => self.native_signature(symbol.name, symbol.addr, stop),
                    _ => self.inside_signature(),
                };
                (symbol.addr, code, UprobeClass { signature, ..self.native_class(stop) })
            }
        };
        if offset >= code.len() as u64 {
            return Err(EnvError {
                message: format!("{name} has {} bytes: there is no instruction at +{offset}", code.len()),
                ..EnvError::default()
            });
        }
        let vaddr = entry + offset;
        if is_boundary(self.file.arch(), code, entry, vaddr) == Some(false) {
            return Err(EnvError {
                message: format!("{name}+{offset} is in the middle of an instruction"),
                help: Some("a breakpoint there would change what the program does; `objdump -d` shows the boundaries".into()),
                ..EnvError::default()
            });
        }
        let rest = code.get(offset as usize..).unwrap_or_default();
        if let Treatment::Refused(why) = treatment(self.file.arch(), rest) {
            return Err(EnvError {
                message: format!("the kernel accepts no probe at {name}+{offset} ({why})"),
                ..EnvError::default()
            });
        }
        self.add(class, &name::shown(name), vaddr);
        Ok(())
    }

    fn address(&mut self, vaddr: u64) -> Result<(), EnvError> {
        let function = self.go.and_then(|go| go.function_at(vaddr));
        if let Some(f) = function {
            return self.inside(f.name(), vaddr - f.entry());
        }
        match self.file.symbolize(vaddr) {
            Some(symbol) if symbol.kind == SymbolKind::Function && symbol.size > 0 => {
                self.inside(symbol.name, vaddr - symbol.addr)
            }
            _ => Err(EnvError {
                message: format!("there is no function at {vaddr:#x} in {}", self.name),
                ..EnvError::default()
            }),
        }
    }

    /// Why nothing matched.
    fn nothing(&self, pattern: &str, ret: bool) -> EnvError {
        if let Some(left_out) = self.left_out.first() {
            let what = if ret { "a return of " } else { "" };
            return EnvError {
                message: format!("{what}{} cannot be probed: {}", left_out.functions[0], left_out.reason),
                ..EnvError::default()
            };
        }
        // The star of a receiver, as in `sync.(*Mutex).Lock`, is no wildcard.
        let plain = Glob::new(pattern).literal().is_some();
        if let Some(callers) = plain.then(|| self.go?.is_inlined_only(pattern)).flatten() {
            let shown: Vec<&str> = callers.iter().take(NAMED_IN_WARNING).map(|c| &**c).collect();
            return EnvError {
                message: format!("{pattern} is inlined into {} and has no code of its own", shown.join(", ")),
                help: Some(
                    "probe the function it is inlined into, or build with `//go:noinline` before it".into(),
                ),
                ..EnvError::default()
            };
        }
        let mut known: Vec<&str> =
            self.go.map(|go| go.functions().map(|f| f.name()).collect()).unwrap_or_default();
        known.extend(self.file.functions().map(|s| s.name));
        let mut error = EnvError {
            message: format!(
                "no function {}\"{pattern}\" in {}",
                if plain { "" } else { "matches " },
                self.name
            ),
            help: Some(format!("`gotrace list 'uprobe:{}:*'` lists its functions", self.name)),
            ..EnvError::default()
        };
        if self.file.image().section(MINI_DEBUG_INFO).is_some() && !self.file.has_all_symbols() {
            error.notes.push(format!(
                "the file has more symbols in {MINI_DEBUG_INFO}, which gotrace does not read: install its debug symbols, or name their \
                 folder with --debuginfo"
            ));
        }
        if known.is_empty() {
            error.notes.push("the file has no symbols and no Go function table".into());
            error.help = None;
        } else if plain {
            let readable: Vec<String> = match pattern.contains("::") {
                true => known.iter().flat_map(|name| demangle::names(name)).collect(),
                false => Vec::new(),
            };
            let known = known.iter().copied().chain(readable.iter().map(String::as_str));
            error.similar = similar::functions(pattern, known);
        } else {
            error.similar.extend(similar::pattern(pattern, &known));
        }
        error
    }

    fn finish(mut self) -> Vec<Match> {
        let path = super::absolute(self.file.path()).to_string_lossy().into_owned();
        let mut warnings: Vec<String> = self.left_out.iter().map(LeftOut::warning).collect();
        self.groups
            .drain(..)
            .map(|(class, sites)| {
                Match::Uprobe(UprobeMatch {
                    binary: self.name.to_owned(),
                    path: path.clone(),
                    class,
                    sites,
                    // All belong to the attach point: they are told once.
                    warnings: std::mem::take(&mut warnings),
                })
            })
            .collect()
    }
}

impl LeftOut {
    fn warning(&self) -> String {
        let shown = self.functions[..self.functions.len().min(NAMED_IN_WARNING)].join(", ");
        let more = match self.functions.len().saturating_sub(NAMED_IN_WARNING) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("left out {shown}{more}: {}", self.reason)
    }
}

/// Adds to the reason why types are not known what is known of the arguments.
fn with_shape(reason: String, function: &GoFunc<'_>) -> String {
    match function.argument_shape() {
        Some(shape) => format!("{reason}; the parts of its arguments have the sizes {shape}, in bytes"),
        None => reason,
    }
}

/// Where the current goroutine is found in code that does not have it in a register.
pub(super) fn goroutine(go: &GoBinary) -> Goroutine {
    let offsets = go.goroutine_offsets();
    Goroutine {
        release: go.release().0,
        in_register: false,
        tls_offset: go.tls_offset().and_then(|slot| i32::try_from(slot.offset).ok()),
        goid: offsets.goid,
        m: offsets.m,
        curg: offsets.m_curg,
        stack_hi: offsets.stack_hi,
    }
}
