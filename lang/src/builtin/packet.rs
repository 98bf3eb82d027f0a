//! Packets to files.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::hir::{Action, BinOp, Builtin as Node, Clock, Expr, ExprKind, Stmt, StmtKind};
use crate::span::Span;
use crate::types::{AddrSpace, Type};

pub(super) const ENTRIES: &[Builtin] = &[Builtin {
    name: "skboutput",
    form: Form::Function,
    args: (4, 4),
    signature: "skboutput(FILE, SKB, LENGTH, OFFSET)",
    doc: "Writes a packet, a `struct sk_buff *`, to a file for tcpdump and wireshark: its bytes from OFFSET to LENGTH, as far as they lie in \
          one piece and up to the greater of 2048 and `max_strlen`. The first byte must be that of the IP header: OFFSET is 14 where an \
          Ethernet header is before it. Gives 0.",
    example: "tracepoint:net:netif_receive_skb { $skb = (struct sk_buff *)args.skbaddr; skboutput(\"/tmp/in.pcap\", $skb, $skb.len, 0); }",
    probes: EVERYWHERE,
    elsewhere: None,
    check: output,
}];

/// Most bytes of a packet, unless `max_strlen` is greater: more than an Ethernet frame.
const SNAP_LENGTH: u32 = 2048;

fn output(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [file, skb, length, offset] = call.args else { return checker.no_arguments(call) };
    let file = checker.text_arg(file, "the name of a file")?;
    let span = call.span;
    let packet = checker.hidden_var(skb.span);
    let from = checker.hidden_var(offset.span);
    let room = checker.hidden_var(span);
    let (address, _) = checker.address_arg(skb)?;
    let length = checker.number_arg(length)?;
    let offset = checker.number_arg(offset)?;
    let Some(layout) = checker.env.kernel_struct("sk_buff") else {
        let problem = Problem::error(skb.span, "the layout of packets is not known");
        return checker.fail(problem.note("this kernel does not describe its types (no BTF)"));
    };
    let number = |e: Expr| checker.cast_to(e, &Type::U64);
    let (address, length, offset) = (number(address), number(length), number(offset));
    let (set_packet, packet) = checker.set_hidden(packet, address);
    let (set_from, from) = checker.set_hidden(from, offset);
    let mut member = |name: &str| {
        let Some(field) = layout.field(name) else {
            return checker
                .fail(Problem::error(span, format!("packets of this kernel have no member `{name}`")));
        };
        let addr = Box::new(checker.offset(packet.clone(), field.offset.into()));
        let value = Expr::new(ExprKind::Load { addr, space: AddrSpace::Kernel }, field.ty.clone(), span);
        Ok(checker.cast_to(value, &Type::U64))
    };
    let (data, whole, elsewhere) = (member("data")?, member("len")?, member("data_len")?);
    // What lies in one piece, from the offset on, and what is asked for of it.
    let piece = sub(whole.clone(), elsewhere, span);
    let (set_room, room) =
        checker.set_hidden(room, least(less(piece, &from, span), less(length, &from, span), span));
    let most = SNAP_LENGTH.max(checker.config.max_strlen);
    let addr = Box::new(binary(BinOp::Add, data, from.clone(), span));
    let bytes = ExprKind::ReadBuf { addr, len: Box::new(room), space: AddrSpace::Kernel };
    let time = Expr::new(ExprKind::Builtin(Node::Nsecs(Clock::Boot)), Type::U64, span);
    let args = vec![time, less(whole, &from, span), Expr::new(bytes, Type::Buf(most), span)];
    let emit = StmtKind::Emit { action: Action::Packet(file), args };
    let stmts = [set_packet, set_from, set_room, emit].map(|kind| Stmt { kind, span }).into();
    let done = Expr::new(ExprKind::Int(0), Type::U32, span);
    Ok(Outcome::Value(Expr::new(ExprKind::Block(stmts, Box::new(done)), Type::U32, span)))
}

fn binary(op: BinOp, a: Expr, b: Expr, span: Span) -> Expr {
    let ty = if op == BinOp::Lt { Type::Bool } else { Type::U64 };
    crate::fold::node(Expr::new(ExprKind::Binary(op, Box::new(a), Box::new(b)), ty, span))
}

fn sub(a: Expr, b: Expr, span: Span) -> Expr {
    binary(BinOp::Sub, a, b, span)
}

/// `a - b`, or 0 where that is negative.
fn less(a: Expr, b: &Expr, span: Span) -> Expr {
    let fits = binary(BinOp::Lt, b.clone(), a.clone(), span);
    let zero = Expr::new(ExprKind::Int(0), Type::U64, span);
    choose(fits, sub(a, b.clone(), span), zero, span)
}

fn least(a: Expr, b: Expr, span: Span) -> Expr {
    choose(binary(BinOp::Lt, a.clone(), b.clone(), span), a, b, span)
}

fn choose(cond: Expr, a: Expr, b: Expr, span: Span) -> Expr {
    Expr::new(ExprKind::Ternary(Box::new(cond), Box::new(a), Box::new(b)), Type::U64, span)
}
