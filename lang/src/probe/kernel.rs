//! Attach points in the kernel: functions, raw tracepoints, iterators and watchpoints.

use super::event::number;
use super::{AttachKind, FentryOf, KprobeSpec, Part, Watch, Watchpoint};

/// `rawtracepoint:event`, `rawtracepoint:module:event`.
pub(super) fn raw_tracepoint(parts: &[Part]) -> Result<AttachKind, String> {
    let (module, event) = module_and_name(parts, "event")?;
    Ok(AttachKind::RawTracepoint { module, event })
}

/// What stands for the module where loaded BPF programs are meant.
const PROGRAMS: &str = "bpf";

/// `fentry:function`, `fentry:module:function`, `fentry:bpf:program`, `fentry:bpf:id:program`.
pub(super) fn fentry(parts: &[Part], ret: bool) -> Result<AttachKind, String> {
    if let [programs, id, name] = parts
        && programs.text == PROGRAMS
    {
        let id = number(&id.text)
            .and_then(|id| u32::try_from(id).ok())
            .ok_or_else(|| format!("`{}` is no number of a BPF program", id.text))?;
        let (_, function) = module_and_name(std::slice::from_ref(name), "program")?;
        return Ok(AttachKind::Fentry { of: FentryOf::Program(Some(id)), function, ret });
    }
    let (module, function) = module_and_name(parts, "function")?;
    let of = match module {
        None => FentryOf::Any,
        Some(module) if module == PROGRAMS => FentryOf::Program(None),
        Some(module) => FentryOf::Module(module),
    };
    Ok(AttachKind::Fentry { of, function, ret })
}

/// `kprobe:function`, `kprobe:module:function`, either with `+OFFSET`; `kprobe:0xffffffff81000000`.
pub(super) fn kprobe(parts: &[Part], ret: bool) -> Result<AttachKind, String> {
    let (module, target) = module_and_name(parts, "function")?;
    let spec = match target.rsplit_once('+') {
        _ if target.starts_with(|c: char| c.is_ascii_digit()) => KprobeSpec::Address(
            number(&target)
                .ok_or_else(|| format!("`{target}` is no address, such as `0xffffffff81000000`"))?,
        ),
        Some((function, offset)) => KprobeSpec::Offset(
            function.into(),
            number(offset).ok_or_else(|| format!("`{offset}` is no offset"))?,
        ),
        None => KprobeSpec::Function(target),
    };
    if ret && !matches!(spec, KprobeSpec::Function(_)) {
        return Err("a return probe is placed on a whole function, not on an address".into());
    }
    Ok(AttachKind::Kprobe { module, target: spec, ret })
}

fn module_and_name(parts: &[Part], what: &str) -> Result<(Option<String>, String), String> {
    let text = |p: &Part| Some(p.text.clone()).filter(|t| !t.is_empty());
    match parts {
        [name] => Ok((None, text(name).ok_or_else(|| format!("the {what} is missing"))?)),
        [module, name] => Ok((
            Some(text(module).ok_or("the module is empty")?),
            text(name).ok_or_else(|| format!("the {what} is missing"))?,
        )),
        _ => Err(format!("a {what} is expected, perhaps with its module before it")),
    }
}

/// `iter:task`, `iter:task:/sys/fs/bpf/tasks`
pub(super) fn iter(parts: &[Part]) -> Result<AttachKind, String> {
    let (object, pin) = match parts {
        [object] => (object, None),
        [object, pin] if !pin.text.is_empty() => (object, Some(pin.text.clone())),
        [_, _] => return Err("the name of the file to pin to is missing".into()),
        _ => return Err("what to iterate over is missing".into()),
    };
    if object.text.is_empty() {
        return Err("what to iterate over is missing".into());
    }
    Ok(AttachKind::Iter { object: object.text.clone(), pin })
}

/// Access modes of a watchpoint, `HW_BREAKPOINT_*` of `include/uapi/linux/hw_breakpoint.h`.
const MODES: &[(char, u32)] = &[('r', 1), ('w', 2), ('x', 4)];

/// `watchpoint:0x10000000:8:rw`
pub(super) fn watchpoint(parts: &[Part]) -> Result<AttachKind, String> {
    let [address, len, mode] = parts else {
        return Err("an address, a length and a mode are expected".into());
    };
    let address = number(&address.text).ok_or_else(|| format!("`{}` is no address", address.text))?;
    let len = number(&len.text)
        .and_then(|n| u8::try_from(n).ok())
        .filter(|n| matches!(n, 1 | 2 | 4 | 8))
        .ok_or_else(|| format!("`{}` is no length: processors watch 1, 2, 4 or 8 bytes", len.text))?;
    let mut access = 0;
    for c in mode.text.chars() {
        let (_, bit) = MODES
            .iter()
            .find(|(name, _)| *name == c)
            .ok_or_else(|| format!("`{}` is no mode: r, w, rw and x are", mode.text))?;
        if access & bit != 0 {
            return Err(format!("`{c}` stands twice in the mode `{}`", mode.text));
        }
        access |= bit;
    }
    let access = match access {
        0 => return Err("the mode is missing: r, w, rw or x".into()),
        // The kernel has no such breakpoint; x86 cannot watch reads alone and takes `r` as `rw`.
        n if n & 4 != 0 && n != 4 => return Err("a watchpoint on execution (x) stands alone".into()),
        n => Watch(n),
    };
    if access == Watch::EXECUTE && len != 8 {
        return Err("a watchpoint on execution has the length 8".into());
    }
    if address % u64::from(len) != 0 && access != Watch::EXECUTE {
        return Err(format!("the address {address:#x} is not a multiple of the length {len}"));
    }
    Ok(AttachKind::Watchpoint(Watchpoint { address, len, access }))
}
