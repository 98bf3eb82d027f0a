//! The members of kernel structures that generated code reads.
//!
//! Their offsets differ between kernels. The loader finds those that a script needs in the kernel's type information and
//! gives them as [`Fields`]; a kernel without that information gives none.

use std::collections::HashMap;

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $structure:literal $path:literal,)*) => {
        /// A member of a kernel structure.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum KernelField { $($(#[$doc])* $variant,)* }

        impl KernelField {
            /// All of them.
            pub const ALL: &'static [KernelField] = &[$(KernelField::$variant,)*];

            /// The structure, and the way to the member from there.
            #[must_use]
            pub fn path(self) -> (&'static str, &'static str) {
                match self { $(KernelField::$variant => ($structure, $path),)* }
            }
        }
    };
}

fields! {
    /// The process that is told when a process ends.
    TaskParent = "task_struct" "real_parent",
    /// The main thread of a thread's process.
    TaskLeader = "task_struct" "group_leader",
    /// Name of a thread, 16 bytes.
    TaskComm = "task_struct" "comm",
    /// Thread id in the initial pid namespace.
    TaskPid = "task_struct" "pid",
    /// Process id in the initial pid namespace.
    TaskTgid = "task_struct" "tgid",
    /// The `struct pid` of a thread.
    TaskThreadPid = "task_struct" "thread_pid",
    /// How deep its pid namespace is nested.
    PidLevel = "pid" "level",
    /// Its ids, one `struct upid` for each level.
    PidNumbers = "pid" "numbers",
    /// The id in a namespace.
    UpidNumber = "upid" "nr",
    /// That namespace.
    UpidNamespace = "upid" "ns",
    /// Inode of a pid namespace in nsfs.
    NamespaceInode = "pid_namespace" "ns.inum",
}

/// Bytes of a `struct upid`: an `int`, padding, a pointer (include/linux/pid.h).
pub const UPID_SIZE: u32 = 16;

/// Offsets in bytes of the members that are known.
pub type Fields = HashMap<KernelField, u32>;
