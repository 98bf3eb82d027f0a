//! Messages of Go errors, made from what [`lang::goerror`] has copied of them.

use super::{Context, names, text};
use crate::value::GoError;
use lang::goerror::{Form, form_of};
use lang::types::NameOf;

/// The message of a chain of errors.
#[must_use]
pub fn message(chain: &[GoError], cx: &Context) -> String {
    let Some((error, behind)) = chain.split_first() else { return "...".into() };
    if error.ty.address == 0 {
        return "<nil>".into();
    }
    let full = cx.symbols.go_type(error.ty).map(|name| name.full);
    match full.as_deref().and_then(form_of) {
        Some(form) => filled_in(form, error, behind, cx),
        None => text::go_type(error.ty, cx),
    }
}

fn filled_in(form: &Form, error: &GoError, behind: &[GoError], cx: &Context) -> String {
    if form.number {
        return lower_case(&names::of(error.number, &NameOf::Errno));
    }
    let mut out = String::new();
    let mut rest = form.message;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((field, after)) = after.split_once('}') else { break };
        rest = after;
        let text = |n: usize| {
            let mut shown = Vec::new();
            if let Some(t) = error.texts.get(n) {
                text::text(&mut shown, t, cx);
            }
            String::from_utf8_lossy(&shown).into_owned()
        };
        match (field.strip_suffix('q'), field.parse::<usize>()) {
            (_, Ok(n)) => out.push_str(&text(n)),
            (Some(n), _) => out.push_str(&format!("{:?}", n.parse().map(text).unwrap_or_default())),
            _ => out.push_str(&message(behind, cx)),
        }
    }
    out + rest
}

/// Go writes the system's messages with a small first letter (src/syscall/zerrors_linux_*.go), but `RFS specific error`.
fn lower_case(message: &str) -> String {
    let mut letters = message.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(message.chars().skip(1)).collect()
        }
        _ => message.to_owned(),
    }
}
