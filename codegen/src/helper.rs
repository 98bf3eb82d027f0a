//! The kernel helpers that generated code calls (`enum bpf_func_id`, include/uapi/linux/bpf.h).

macro_rules! helpers {
    ($($(#[$doc:meta])* $variant:ident = $id:literal $name:literal,)*) => {
        /// A kernel helper; the discriminant is its number.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(i32)]
        pub enum Helper { $($(#[$doc])* $variant = $id,)* }

        impl Helper {
            /// Name without the `bpf_` prefix.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Helper::$variant => $name,)* }
            }

            /// The helper of a number.
            #[must_use]
            pub fn from_id(id: i32) -> Option<Helper> {
                match id { $($id => Some(Helper::$variant),)* _ => None }
            }
        }
    };
}

helpers! {
    /// Address of the value under a key, or null.
    MapLookup = 1 "map_lookup_elem",
    /// Sets the value under a key.
    MapUpdate = 2 "map_update_elem",
    /// Removes a key.
    MapDelete = 3 "map_delete_elem",
    /// `CLOCK_MONOTONIC`
    KtimeNs = 5 "ktime_get_ns",
    /// A line for the kernel's trace pipe.
    TracePrint = 6 "trace_printk",
    /// A pseudo-random number.
    Random = 7 "get_prandom_u32",
    /// Goes on in another program.
    TailCall = 12 "tail_call",
    /// Number of the CPU.
    CpuId = 8 "get_smp_processor_id",
    /// Process id in the high, thread id in the low 32 bits.
    PidTgid = 14 "get_current_pid_tgid",
    /// Group id in the high, user id in the low 32 bits.
    UidGid = 15 "get_current_uid_gid",
    /// Name of the thread.
    Comm = 16 "get_current_comm",
    /// Address of the current `task_struct`.
    CurrentTask = 35 "get_current_task",
    /// Number of the NUMA node.
    NumaNode = 42 "get_numa_node_id",
    /// Stack addresses into a buffer.
    GetStack = 67 "get_stack",
    /// Id of the thread's control group.
    CgroupId = 80 "get_current_cgroup_id",
    /// Reads user memory.
    ReadUser = 112 "probe_read_user",
    /// Reads kernel memory.
    ReadKernel = 113 "probe_read_kernel",
    /// Reads user text up to the NUL.
    ReadUserStr = 114 "probe_read_user_str",
    /// Reads kernel text up to the NUL.
    ReadKernelStr = 115 "probe_read_kernel_str",
    /// Ticks of the timer.
    Jiffies = 118 "jiffies64",
    /// Sends a signal to the process.
    SendSignal = 109 "send_signal",
    /// Sends a signal to the thread.
    SendSignalThread = 117 "send_signal_thread",
    /// Process and thread id in a pid namespace.
    NsPidTgid = 120 "get_ns_current_pid_tgid",
    /// Bytes into the output of an iterator.
    SeqWrite = 127 "seq_write",
    /// Text into the output of an iterator.
    SeqPrintf = 126 "seq_printf",
    /// `CLOCK_BOOTTIME`
    KtimeBootNs = 125 "ktime_get_boot_ns",
    /// Room for a record.
    RingReserve = 131 "ringbuf_reserve",
    /// Hands a record to the reader.
    RingSubmit = 132 "ringbuf_submit",
    /// State of the ring buffer.
    RingQuery = 134 "ringbuf_query",
    /// Address of the current `task_struct`, as a pointer that the verifier knows (Linux 5.11).
    CurrentTaskBtf = 158 "get_current_task_btf",
    /// The registers with which a task entered the kernel (Linux 5.15).
    TaskRegisters = 175 "task_pt_regs",
    /// The number given at attachment (Linux 5.15).
    AttachCookie = 174 "get_attach_cookie",
    /// Value of another CPU (Linux 5.19).
    MapLookupPercpu = 195 "map_lookup_percpu_elem",
    /// Makes the probed function return at once, with this value.
    OverrideReturn = 58 "override_return",
    /// Writes into user memory.
    WriteUser = 36 "probe_write_user",
    /// The number of a socket (of a `struct sock` since Linux 5.12).
    SocketCookie = 46 "get_socket_cookie",
    /// The whole name of a file (Linux 5.10).
    KernelPath = 147 "d_path",
    /// Calls a function for each entry of a map (Linux 5.13).
    ForEachMapElem = 164 "for_each_map_elem",
    /// Calls a function so many times (Linux 5.17).
    Loop = 181 "loop",
    /// What the function returned that an `fexit` program is attached to (Linux 5.17).
    FunctionResult = 184 "get_func_ret",
    /// `CLOCK_TAI` (Linux 6.1).
    KtimeTaiNs = 208 "ktime_get_tai_ns",
}

/// What a call op calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Callee {
    /// A helper, by its number: the same on all kernels.
    Helper(Helper),
    /// A kernel function (kfunc), by its id in the BTF of the kernel that the program is compiled for.
    Kfunc {
        /// Name.
        name: &'static str,
        /// BTF id.
        id: u32,
    },
    /// A function of the script, by its place in [`crate::ir::Func::functions`] of the program.
    Function(usize),
}

impl From<Helper> for Callee {
    fn from(helper: Helper) -> Callee {
        Callee::Helper(helper)
    }
}

/// The name for dumps.
impl std::fmt::Display for Callee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Callee::Helper(helper) => f.write_str(helper.name()),
            Callee::Kfunc { name, .. } => f.write_str(name),
            Callee::Function(n) => write!(f, "function{n}"),
        }
    }
}

impl Helper {
    /// Whether two calls in one run of a program give the same result, so that the second can be saved. Clocks and random
    /// numbers are not among them.
    #[must_use]
    pub fn is_invariant(self) -> bool {
        use Helper::*;
        matches!(
            self,
            CpuId | PidTgid | UidGid | CurrentTask | CurrentTaskBtf | AttachCookie | NumaNode | CgroupId
        )
    }

    /// Whether the result is an address, as the verifier sees it: it allows little arithmetic with one.
    #[must_use]
    pub fn gives_address(self) -> bool {
        use Helper::*;
        matches!(self, MapLookup | MapLookupPercpu | RingReserve | CurrentTaskBtf | TaskRegisters)
    }

    /// Whether a call has no effect but its result.
    #[must_use]
    pub fn is_removable(self) -> bool {
        use Helper::*;
        self.is_invariant()
            || matches!(self, KtimeNs | KtimeBootNs | KtimeTaiNs | Random | RingQuery | Jiffies)
    }
}
