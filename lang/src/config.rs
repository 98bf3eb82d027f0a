//! Settings of a script: the `config = { … }` block, overridden by the environment.
//!
//! The driver calls [`from_script`] with what the environment says, and gives the result to [`crate::check()`].

use crate::ast::Script;
use crate::diag::{Problem, Problems};
use crate::types::StackMode;

/// The settings with their defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Greatest length of a string in bytes, the NUL included (`max_strlen`).
    pub max_strlen: u32,
    /// Greatest number of entries of a map (`max_map_keys`).
    pub max_map_keys: u32,
    /// Greatest number of bytes of a file that `cat()` prints (`max_cat_bytes`).
    pub max_cat_bytes: u32,
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
    /// Greatest number of BPF programs that one script may make (`max_bpf_progs`).
    pub max_bpf_progs: u32,
    /// Names of C++ and Rust in stacks and symbols are shown as their sources have them (`cpp_demangle`).
    pub cpp_demangle: bool,
    /// Stacks show file and line where they are known (`show_debug_info`).
    pub show_debug_info: bool,
    /// Pages of the ring buffer, a power of two (`perf_rb_pages`); `None` for a size that suits the script.
    pub ring_pages: Option<u32>,
    /// Levels of a Go value that are printed (`max_depth`).
    pub max_depth: u32,
    /// Elements of a Go slice or array that are printed (`max_elems`).
    pub max_elems: u32,
    /// The form of stacks that do not say theirs (`stack_mode`).
    pub stack_mode: StackMode,
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

impl MissingProbes {
    const ALL: [MissingProbes; 3] = [MissingProbes::Error, MissingProbes::Warn, MissingProbes::Ignore];

    /// Its name in scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MissingProbes::Error => "error",
            MissingProbes::Warn => "warn",
            MissingProbes::Ignore => "ignore",
        }
    }

    fn named(name: &str) -> Option<MissingProbes> {
        MissingProbes::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_strlen: 1024,
            max_map_keys: 4096,
            max_cat_bytes: 10240,
            on_stack_limit: 64,
            print_maps_on_exit: true,
            str_trunc_trailer: "..".into(),
            missing_probes: MissingProbes::Error,
            max_probes: 65536,
            max_bpf_progs: 1024,
            cpp_demangle: true,
            show_debug_info: true,
            ring_pages: None,
            max_depth: 3,
            max_elems: 8,
            stack_mode: StackMode::default(),
        }
    }
}

/// A setting.
pub struct Setting {
    /// Its name in the config block; in the environment it has capitals and a prefix.
    pub name: &'static str,
    /// An older name.
    pub old: Option<&'static str>,
    /// What it is, for the manual.
    pub doc: &'static str,
    /// Sets it from text, or says what the text should be.
    set: fn(&mut Config, &str) -> Result<(), String>,
    /// What it is set to.
    get: fn(&Config) -> Value,
}

/// What a setting is set to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number.
    Number(u64),
    /// Yes or no.
    Truth(bool),
    /// A word or a text.
    Text(String),
}

impl Setting {
    /// What it is set to.
    #[must_use]
    pub fn value(&self, config: &Config) -> Value {
        (self.get)(config)
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The settings.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "max_strlen",
        old: Some("strlen"),
        doc: "Greatest length of a string in bytes, its end included.",
        set: |c, v| number(v, 8, 65536).map(|n| c.max_strlen = n),
        get: |c| Value::Number(c.max_strlen.into()),
    },
    Setting {
        name: "max_map_keys",
        old: Some("map_keys_max"),
        doc: "Greatest number of entries of a map.",
        set: |c, v| number(v, 1, 1 << 30).map(|n| c.max_map_keys = n),
        get: |c| Value::Number(c.max_map_keys.into()),
    },
    Setting {
        name: "max_cat_bytes",
        old: Some("cat_bytes_max"),
        doc: "Greatest number of bytes of a file that cat() prints.",
        set: |c, v| number(v, 1, 1 << 30).map(|n| c.max_cat_bytes = n),
        get: |c| Value::Number(c.max_cat_bytes.into()),
    },
    Setting {
        name: "on_stack_limit",
        old: None,
        doc: "Values larger than this, in bytes, are not kept on the BPF stack.",
        set: |c, v| number(v, 8, 256).map(|n| c.on_stack_limit = n),
        get: |c| Value::Number(c.on_stack_limit.into()),
    },
    Setting {
        name: "print_maps_on_exit",
        old: None,
        doc: "Whether all maps are printed when the run ends.",
        set: |c, v| boolean(v).map(|b| c.print_maps_on_exit = b),
        get: |c| Value::Truth(c.print_maps_on_exit),
    },
    Setting {
        name: "str_trunc_trailer",
        old: None,
        doc: "What a string that was cut ends in.",
        set: |c, v| {
            c.str_trunc_trailer = v.to_owned();
            Ok(())
        },
        get: |c| Value::Text(c.str_trunc_trailer.clone()),
    },
    Setting {
        name: "missing_probes",
        old: None,
        doc: "What happens when an attach point matches nothing: error, warn or ignore.",
        set: |c, v| {
            c.missing_probes = MissingProbes::named(v).ok_or("error, warn or ignore")?;
            Ok(())
        },
        get: |c| Value::Text(c.missing_probes.name().to_owned()),
    },
    Setting {
        name: "max_probes",
        old: None,
        doc: "Greatest number of places that one script may attach to.",
        set: |c, v| number(v, 1, u32::MAX).map(|n| c.max_probes = n),
        get: |c| Value::Number(c.max_probes.into()),
    },
    Setting {
        name: "max_bpf_progs",
        old: None,
        doc: "Greatest number of BPF programs that one script may make.",
        set: |c, v| number(v, 1, u32::MAX).map(|n| c.max_bpf_progs = n),
        get: |c| Value::Number(c.max_bpf_progs.into()),
    },
    Setting {
        name: "cpp_demangle",
        old: None,
        doc: "Whether stacks and symbols show names of C++ and Rust as their sources have them.",
        set: |c, v| boolean(v).map(|b| c.cpp_demangle = b),
        get: |c| Value::Truth(c.cpp_demangle),
    },
    Setting {
        name: "show_debug_info",
        old: None,
        doc: "Whether stacks show file and line where they are known.",
        set: |c, v| boolean(v).map(|b| c.show_debug_info = b),
        get: |c| Value::Truth(c.show_debug_info),
    },
    Setting {
        name: "perf_rb_pages",
        old: None,
        doc: "Size of the ring buffer in pages, a power of two.",
        set: |c, v| {
            let pages = number(v, 1, 1 << 18)?;
            if !pages.is_power_of_two() {
                return Err("a power of two".into());
            }
            c.ring_pages = Some(pages);
            Ok(())
        },
        get: |c| Value::Number(c.ring_pages.unwrap_or(0).into()),
    },
    Setting {
        name: "max_depth",
        old: None,
        doc: "How deep structures, slices and arrays of Go values are printed.",
        set: |c, v| number(v, 1, 16).map(|n| c.max_depth = n),
        get: |c| Value::Number(c.max_depth.into()),
    },
    Setting {
        name: "max_elems",
        old: None,
        doc: "How many elements of a Go slice or array are printed.",
        set: |c, v| number(v, 1, 256).map(|n| c.max_elems = n),
        get: |c| Value::Number(c.max_elems.into()),
    },
    Setting {
        name: "stack_mode",
        old: None,
        doc: "The form of stacks that do not say theirs: bpftrace, perf, raw, folded or build_id.",
        set: |c, v| {
            c.stack_mode = StackMode::named(v).ok_or("bpftrace, perf, raw, folded or build_id")?;
            Ok(())
        },
        get: |c| Value::Text(c.stack_mode.name().to_owned()),
    },
];

/// Settings of bpftrace for things that gotrace does not have or does by itself.
const WITHOUT_MEANING: &[&str] = &[
    "cache_user_symbols",
    "lazy_symbolication",
    "license",
    "log_size",
    "unstable_tseries",
    "unstable_dw_ustack",
    "unstable_typeinfo",
    "unstable_import_statement",
    "unstable_import",
    "unstable_macro",
    "unstable_map_decl",
    "unstable_addr",
    "max_type_res_iterations",
    "no_cpp_demangle",
    "symbol_source",
];

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.parse::<u32>().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("a number from {least} to {most}"))
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("true or false".into()),
    }
}

fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.name == name || s.old == Some(name))
}

impl Config {
    /// Sets what a name of [`SETTINGS`] stands for.
    ///
    /// # Errors
    /// One sentence: the name is unknown, or what the value should be.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let setting = find(name).ok_or_else(|| format!("unknown setting `{name}`"))?;
        (setting.set)(self, value).map_err(|wants| format!("`{name}` is {wants}, not `{value}`"))
    }
}

/// The settings of a script: the defaults, what its config block says, then `overrides` (names of [`SETTINGS`] with the
/// values that the environment gives them).
/// The problems say what is wrong with either.
pub fn from_script(script: &Script, overrides: &[(String, String)]) -> (Config, Problems) {
    let mut config = Config::default();
    let mut problems = Problems::new();
    if let [first, .., last] = script.configs.as_slice() {
        problems.push(
            Problem::error(last.span, "a script has one config block").label(first.span, "the first one"),
        );
    }
    for entry in script.configs.iter().flat_map(|block| &block.entries) {
        let name = entry.name.text.as_str();
        if WITHOUT_MEANING.contains(&name) {
            problems.push(Problem::warning(entry.name.span, format!("`{name}` has no meaning in gotrace")));
        } else if find(name).is_none() {
            let problem = Problem::error(entry.name.span, format!("unknown setting `{name}`"));
            problems.push(problem.did_you_mean(name, SETTINGS.iter().map(|s| s.name)));
        } else if let Err(message) = config.set(name, &entry.value) {
            problems.push(Problem::error(entry.value_span, message));
        }
    }
    for (name, value) in overrides {
        if let Err(message) = config.set(name, value) {
            problems.push(Problem::general(message).note("this comes from the environment"));
        }
    }
    (config, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(source: &str, overrides: &[(&str, &str)]) -> (Config, String) {
        let (script, problems) = crate::parse("t.gt", source);
        assert!(!problems.has_errors(), "{problems}");
        let overrides: Vec<_> = overrides.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let (config, problems) = from_script(&script, &overrides);
        (config, problems.render("t.gt", source, false))
    }

    #[test]
    fn the_environment_wins_over_the_block() {
        let source = "config = { max_strlen = 0x40; missing_probes = warn; print_maps_on_exit = false;
            str_trunc_trailer = \"~\"; perf_rb_pages = 64 } begin { }";
        let (found, problems) = config(source, &[("max_strlen", "128")]);
        assert_eq!(problems, "");
        let expected = Config {
            max_strlen: 128,
            missing_probes: MissingProbes::Warn,
            print_maps_on_exit: false,
            str_trunc_trailer: "~".into(),
            ring_pages: Some(64),
            ..Config::default()
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn bad_settings() {
        let source = "config = { max_strln = 64; max_strlen = 1; missing_probes = maybe; log_size = 1; perf_rb_pages = 3;\n\
                      print_maps_on_exit = 7 } config = { } begin { }";
        assert_text!(config(source, &[("max_map_keys", "many")]).1);
    }
}
