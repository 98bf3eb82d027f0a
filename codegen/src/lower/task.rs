//! What the kernel keeps of threads: the parent, the main thread, their names and ids.

use super::string::Pad;
use super::{Lower, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::{AluOp, Cond};
use crate::ir::{Arg, Op, Operand, Place, Val};
use crate::kernel::{KernelField, UPID_SIZE};
use lang::hir::{Expr, TaskField};
use lang::types::{AddrSpace, Type};

/// Bytes of a thread's name (`TASK_COMM_LEN`).
const COMM_SIZE: u32 = 16;

impl Lower<'_, '_> {
    /// An id of a [`lang::hir::Fun::Task`].
    pub(super) fn task_id(&mut self, field: TaskField, task: Option<&Expr>) -> Value {
        let relative = self.relative(field, task);
        match self.unit.target.pid_namespace {
            None => {
                let id =
                    if field == TaskField::ParentPid { KernelField::TaskTgid } else { KernelField::TaskPid };
                self.member(relative, id, &Type::U32).into()
            }
            Some((_, inode)) => self.id_in_namespace(relative, inode),
        }
    }

    /// A name of a [`lang::hir::Fun::Task`].
    pub(super) fn store_task_comm(
        &mut self,
        field: TaskField,
        task: Option<&Expr>,
        to: Place,
        cap: u32,
        pad: Pad,
    ) {
        let relative = self.relative(field, task);
        let offset = self.kernel_offset(KernelField::TaskComm);
        let at = self.f.alu(AluOp::Add, relative, Operand::Imm(offset));
        self.pad(to, 0, cap, pad);
        self.read_str(to, Arg::Imm(i64::from(cap.min(COMM_SIZE))), at.into(), AddrSpace::Kernel);
    }

    /// Address of the thread that a field is about.
    fn relative(&mut self, field: TaskField, task: Option<&Expr>) -> Val {
        let task = match task {
            Some(task) => {
                let task = self.scalar(task);
                self.val(task)
            }
            None => self.f.call(Helper::CurrentTask, &[]),
        };
        let link = match field {
            TaskField::ParentPid | TaskField::ParentComm => KernelField::TaskParent,
            TaskField::LeaderTid | TaskField::LeaderComm => KernelField::TaskLeader,
        };
        self.member(task, link, &Type::U64)
    }

    /// The id that a thread has in the innermost pid namespace it belongs to, if that is gotrace's own; else 0.
    pub(super) fn id_in_namespace(&mut self, task: Val, inode: u64) -> Value {
        let pid = self.member(task, KernelField::TaskThreadPid, &Type::U64);
        let level = self.member(pid, KernelField::PidLevel, &Type::U32);
        let distance = self.f.alu(AluOp::Mul, level, Operand::Imm(UPID_SIZE as i32));
        let numbers = self.kernel_offset(KernelField::PidNumbers);
        let numbers = self.f.alu(AluOp::Add, pid, Operand::Imm(numbers));
        let upid = self.f.alu(AluOp::Add, numbers, Operand::Val(distance));
        let namespace = self.member(upid, KernelField::UpidNamespace, &Type::U64);
        let found = self.member(namespace, KernelField::NamespaceInode, &Type::U32);

        let result = self.f.var();
        let end = self.f.label();
        self.f.push(Op::Const { dst: result, value: 0 });
        let own = self.f.operand(inode);
        self.f.branch(Cond::Ne, found, own, end);
        let id = self.member(upid, KernelField::UpidNumber, &Type::U32);
        self.f.push(Op::Copy { dst: result, src: id });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    pub(super) fn member(&mut self, structure: Val, field: KernelField, ty: &Type) -> Val {
        let offset = self.kernel_offset(field);
        let at = self.f.alu(AluOp::Add, structure, Operand::Imm(offset));
        self.load_traced(ty, at.into(), AddrSpace::Kernel)
    }

    /// Offset of a member; an error where the kernel does not tell.
    fn kernel_offset(&mut self, field: KernelField) -> i32 {
        if let Some(offset) = self.unit.target.fields.get(&field) {
            return *offset as i32;
        }
        let (structure, path) = field.path();
        let error = Error::new(self.span, format!("this kernel does not say where `{path}` is in its `struct {structure}`"))
            .help("it is in the kernel's type information (BTF): a kernel with CONFIG_DEBUG_INFO_BTF has /sys/kernel/btf/vmlinux");
        self.fail(error);
        0
    }
}
