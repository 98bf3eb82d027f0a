//! Attach points in user-space binaries: `uprobe`, `uretprobe` and `usdt`.

use super::{AttachKind, Part, UprobeSpec};
use crate::literal;

/// What stands before a name of the source, so that it is not taken for a symbol.
const LANGUAGES: [&str; 2] = ["cpp", "rust"];

/// The binary and what in it; `ret` for `uretprobe`.
pub(super) fn uprobe(binary: &Part, target: &[Part], ret: bool) -> Result<AttachKind, String> {
    if let [language, rest @ ..] = target
        && LANGUAGES.contains(&language.text.as_str())
        && !language.quoted
        && !rest.is_empty()
    {
        let name = rest.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(":");
        if name.is_empty() {
            return Err("the function is missing".into());
        }
        return Ok(AttachKind::Uprobe {
            binary: binary.text.clone(),
            target: UprobeSpec::Demangled(name),
            ret,
        });
    }
    let quoted = target.iter().any(|t| t.quoted);
    let target = target.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(":");
    let target = uprobe_target(&target, quoted)?;
    if ret && !matches!(target, UprobeSpec::Function(_)) {
        return Err("a return probe is placed on a whole function, not on an address".into());
    }
    Ok(AttachKind::Uprobe { binary: binary.text.clone(), target, ret })
}

/// `main.f`, `main.f+12`, `0x401000`.
fn uprobe_target(text: &str, quoted: bool) -> Result<UprobeSpec, String> {
    if text.is_empty() {
        return Err("the function is missing".into());
    }
    if quoted {
        return Ok(UprobeSpec::Function(text.into()));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return literal::number(text)
            .map(UprobeSpec::Address)
            .map_err(|e| format!("`{text}` is no address: {e}"));
    }
    // `+` is in no Go or C name; a C++ operator stands in quotes.
    match text.rsplit_once('+') {
        Some((function, offset)) if !function.is_empty() && !offset.is_empty() => {
            match literal::number(offset) {
                Ok(n) if offset.starts_with(|c: char| c.is_ascii_digit()) => {
                    Ok(UprobeSpec::Offset(function.into(), n))
                }
                _ => Err(format!("`{offset}` is no offset")),
            }
        }
        _ => Ok(UprobeSpec::Function(text.into())),
    }
}

/// `BINARY:NAME`, `BINARY:PROVIDER:NAME`; the binary may be left out, not its colon.
pub(super) fn usdt(parts: &[Part]) -> Result<AttachKind, String> {
    let (binary, provider, name) = match parts {
        [binary, name] => (binary, None, name),
        [binary, provider, name] => (binary, Some(provider), name),
        _ => return Err("a binary and the name of a probe are expected".into()),
    };
    if name.text.is_empty() {
        return Err("the name of the probe is missing".into());
    }
    let provider = provider.map(|p| p.text.clone()).filter(|p| !p.is_empty());
    Ok(AttachKind::Usdt { binary: binary.text.clone(), provider, name: name.text.clone() })
}
