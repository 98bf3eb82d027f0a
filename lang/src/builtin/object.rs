//! What the kernel tells about its own objects, and only about those that it handed to the program: the verifier follows where
//! an address comes from.

use super::{Builtin, Form};
use crate::ast::Expr as Ast;
use crate::check::{Base, Call, Checked, Checker, Outcome, Place, ProbeKind, with_article};
use crate::diag::Problem;
use crate::hir::{BinOp, Builtin as Node, Expr, ExprKind, Fun};
use crate::types::{AddrSpace, Type};

/// Programs of the kernel's type information: they get pointers to objects, not only addresses.
const WITH_OBJECTS: &[ProbeKind] = &[ProbeKind::Fentry, ProbeKind::Fexit, ProbeKind::Iter];

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "path",
        form: Form::Function,
        args: (1, 2),
        signature: "path(PATH [, SIZE])",
        doc: "The whole name of a file: `PATH` is a `struct path` of an argument, or its address. SIZE is the room for it in bytes \
              (`max_strlen`). The kernel allows this in some of its functions only, and in iterators.",
        example: "fentry:filp_close { printf(\"%s\\n\", path(args.filp.f_path)); }",
        probes: WITH_OBJECTS,
        elsewhere: Some("write `str(args.filename)`, or the last part: `file.f_path.dentry.d_name.name`"),
        check: path,
    },
    Builtin {
        name: "socket_cookie",
        form: Form::Function,
        args: (1, 1),
        signature: "socket_cookie(SOCKET)",
        doc: "The kernel's number for a socket, a `struct sock *` among the arguments: `uint64`, the same as long as the socket lives.",
        example: "fentry:tcp_rcv_established { @[socket_cookie(args.sk)] = count(); }",
        probes: WITH_OBJECTS,
        elsewhere: Some("the address of the socket is as good a key while it lives"),
        check: |checker, call| {
            let [socket] = call.args else { return checker.no_arguments(call) };
            let socket = object(checker, socket, &["sock", "sock_common"])?;
            let kind = ExprKind::Apply(Fun::SocketCookie, vec![socket]);
            Ok(Outcome::Value(Expr::new(kind, Type::U64, call.span)))
        },
    },
];

fn path(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [path, size @ ..] = call.args else { return checker.no_arguments(call) };
    let most = i64::from(checker.max_string());
    let room = match size {
        [] => most,
        [size, ..] => {
            let room = checker.constant(size, "the room for a path")?;
            if !(1..=most).contains(&room) {
                let problem = Problem::error(size.span, format!("the room for a path is 1 to {most} bytes"));
                return checker.fail(problem.help("raise the limit: `config = { max_strlen = … }`"));
            }
            room
        }
    };
    let path = object(checker, path, &["path"])?;
    let ty = Type::Str((room as u32).next_multiple_of(8));
    Ok(Outcome::Value(Expr::new(ExprKind::Apply(Fun::KernelPath, vec![path]), ty, call.span)))
}

/// The address of a structure of that name as the verifier knows it.
fn object(checker: &mut Checker<'_>, arg: &Ast, names: &[&str]) -> Checked<Expr> {
    let value = match checker.place(arg)? {
        Some(Place { base: Base::Memory(address, AddrSpace::Kernel), ty: ty @ Type::Struct(_), .. }) => {
            let ty = Type::Ptr { to: Box::new(ty), space: AddrSpace::Kernel };
            checker.cast_to(address, &ty)
        }
        _ => checker.expr(arg)?,
    };
    let wanted = names.first().copied().unwrap_or_default();
    let fits = matches!(&value.ty, Type::Ptr { to, .. } if matches!(&**to, Type::Struct(s) if names.contains(&s.name.as_str())));
    if !fits {
        let message = format!("this must be a `struct {wanted} *`, not {}", with_article(&value.ty));
        return checker.fail(Problem::error(arg.span, message));
    }
    if !is_followed(&value) {
        let problem = Problem::error(arg.span, "the kernel must see where this address comes from")
            .note("it tells about objects that it handed to the program itself");
        return checker.fail(problem.help("write the argument and its members directly: `args.file.f_path`"));
    }
    Ok(value)
}

/// Whether an address is an argument, something in what it points to, or what a pointer there points to.
fn is_followed(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Cast(of) => is_followed(of),
        ExprKind::Builtin(Node::Arg(_)) => true,
        ExprKind::Binary(BinOp::Add, base, offset) => offset.literal().is_some() && is_followed(base),
        ExprKind::Load { addr, space: AddrSpace::Kernel } => is_followed(addr),
        _ => false,
    }
}
