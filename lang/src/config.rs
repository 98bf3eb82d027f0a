//! Settings of a script: the `config = { … }` block, overridden by the environment.

/// The settings with their defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Greatest length of a string in bytes, the NUL included (`max_strlen`).
    pub max_strlen: u32,
    /// Greatest number of entries of a map (`max_map_keys`).
    pub max_map_keys: u32,
    /// Values larger than this (in bytes) are kept in a scratch map, not on the BPF stack (`on_stack_limit`).
    pub on_stack_limit: u32,
    /// Print all maps when the run ends (`print_maps_on_exit`).
    pub print_maps_on_exit: bool,
    /// What a string that was cut ends in (`str_trunc_trailer`).
    pub str_trunc_trailer: String,
    /// What happens when an attach point matches nothing (`missing_probes`).
    pub missing_probes: MissingProbes,
    /// Greatest number of sites that one script may attach to (`max_probes`).
    pub max_probes: u32,
    /// Pages of the ring buffer, a power of two (`perf_rb_pages`).
    pub ring_pages: u32,
}

/// What happens when an attach point matches nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MissingProbes {
    /// An error.
    Error,
    /// A warning; the rest runs.
    Warn,
    /// Nothing.
    Ignore,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_strlen: 1024,
            max_map_keys: 4096,
            on_stack_limit: 64,
            print_maps_on_exit: true,
            str_trunc_trailer: "..".into(),
            missing_probes: MissingProbes::Error,
            max_probes: 65536,
            ring_pages: 1024,
        }
    }
}
