//! Addresses of networks, and the order of their bytes.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::{Call, Checked, Checker, Outcome, with_article};
use crate::diag::Problem;
use crate::hir::{Expr, ExprKind, Fun};
use crate::types::Type;
use std::net::IpAddr;
use std::sync::Arc;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "ntop",
        form: Form::Function,
        args: (1, 2),
        signature: "ntop([FAMILY,] ADDRESS)",
        doc: "An internet address, which prints as text. It is an integer in network order, or an array of 4 (IPv4) or 16 bytes \
              (IPv6). The family, 2 or 10, is needed where the size does not tell.",
        example: "tracepoint:tcp:tcp_probe { printf(\"%s\\n\", ntop(0x0100007f)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: ntop,
    },
    Builtin {
        name: "pton",
        form: Form::Function,
        args: (1, 1),
        signature: "pton(TEXT)",
        doc: "The bytes of an internet address that is written as text, `uint8[4]` or `uint8[16]`.",
        example: "begin { print(pton(\"127.0.0.1\")); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: pton,
    },
    Builtin {
        name: "macaddr",
        form: Form::Function,
        args: (1, 1),
        signature: "macaddr(BYTES)",
        doc: "A hardware address, an array of 6 bytes or a pointer to them, which prints as text.",
        example: "uprobe:./web:main.handler { printf(\"%s\\n\", macaddr((uint8 *)arg0)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: macaddr,
    },
    Builtin {
        name: "bswap",
        form: Form::Function,
        args: (1, 1),
        signature: "bswap(NUMBER)",
        doc: "The bytes of an integer in reverse order, as many as its type has: `bswap((uint16)port)`.",
        example: "begin { printf(\"%x\\n\", bswap((uint16)0x1234)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: bswap,
    },
];

/// `AF_INET` and `AF_INET6` (include/linux/socket.h).
const IPV4: u16 = 2;
const IPV6: u16 = 10;
/// Bytes of a hardware address.
const MAC_SIZE: u32 = 6;

fn apply(fun: Fun, arg: Expr, ty: Type, call: &Call<'_>) -> Checked<Outcome> {
    Ok(Outcome::Value(Expr::new(ExprKind::Apply(fun, vec![arg]), ty, call.span)))
}

fn ntop(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let (family, address) = match call.args {
        [address] => (None, address),
        [family, address] => {
            let given = checker.constant(family, "the address family")?;
            let known = [IPV4, IPV6].into_iter().find(|f| i64::from(*f) == given);
            let Some(known) = known else {
                let problem = Problem::error(family.span, format!("{given} is no address family"))
                    .note("families are 2 (AF_INET) and 10 (AF_INET6)");
                return checker.fail(problem);
            };
            (Some(known), address)
        }
        _ => return checker.no_arguments(call),
    };
    let span = address.span;
    let address = checker.expr(address)?;
    let fits = match (&address.ty, family) {
        (Type::Int { .. }, None | Some(IPV4)) => Some(IPV4),
        (Type::Array(of, n), family) => match (of.size() * n, family) {
            (4, None | Some(IPV4)) => Some(IPV4),
            (16, None | Some(IPV6)) => Some(IPV6),
            _ => None,
        },
        _ => None,
    };
    let Some(family) = fits else {
        let problem =
            Problem::error(span, format!("this is no internet address, but {}", with_article(&address.ty)))
                .note("IPv4 is an integer or an array of 4 bytes, IPv6 an array of 16 bytes");
        return checker.fail(problem);
    };
    let address = if address.ty.is_int() { checker.cast_to(address, &Type::U32) } else { address };
    apply(Fun::Inet { family }, address, Type::Inet, call)
}

fn pton(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let text = checker.text_arg(arg, "an internet address")?;
    let bytes: Arc<[u8]> = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Arc::from(address.octets()),
        Ok(IpAddr::V6(address)) => Arc::from(address.octets()),
        Err(_) => {
            let problem = Problem::error(arg.span, format!("\"{text}\" is no internet address"))
                .note("for example \"127.0.0.1\" or \"::1\"");
            return checker.fail(problem);
        }
    };
    let byte = Type::Int { bits: 8, signed: false };
    let ty = Type::Array(Box::new(byte), bytes.len() as u32);
    Ok(Outcome::Value(Expr::new(ExprKind::Str(bytes), ty, call.span)))
}

fn macaddr(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let value = checker.expr(arg)?;
    let bytes = match &value.ty {
        Type::Array(of, n) if of.size() * n == MAC_SIZE => value,
        Type::Ptr { .. } => {
            let (addr, space) = checker.address(value)?;
            let ty = Type::Array(Box::new(Type::Int { bits: 8, signed: false }), MAC_SIZE);
            Expr::new(ExprKind::Load { addr: Box::new(addr), space }, ty, arg.span)
        }
        ty => {
            let problem =
                Problem::error(arg.span, format!("this is no hardware address, but {}", with_article(ty)))
                    .note("it is an array of 6 bytes, or a pointer to them");
            return checker.fail(problem);
        }
    };
    apply(Fun::Mac, bytes, Type::Mac, call)
}

fn bswap(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let value = checker.expr(arg)?;
    let Type::Int { bits, .. } = value.ty else {
        let message = format!("this must be an integer, not {}", with_article(&value.ty));
        return checker.fail(Problem::error(arg.span, message));
    };
    apply(Fun::SwapBytes(bits), value, Type::Int { bits, signed: false }, call)
}
