//! Tracepoints as tracefs describes them: which there are, and the fields of each. [`parse_format`] is pure;
//! [`Tracefs`] reads the files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Where tracefs is mounted: its own place, then the one inside debugfs.
const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// A mounted tracefs.
#[derive(Debug, Clone)]
pub struct Tracefs {
    root: PathBuf,
}

/// Name of a tracepoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName {
    /// Group, for example `sched`.
    pub category: String,
    /// Event, for example `sched_switch`.
    pub event: String,
}

/// A tracepoint's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// Event name.
    pub name: String,
    /// Number of the event, as `perf_event_open` wants it.
    pub id: u32,
    /// Fields in order, with the common ones first.
    pub fields: Vec<Field>,
}

impl Format {
    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The fields that belong to the event itself.
    pub fn own_fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|f| !f.common)
    }
}

/// A field of a tracepoint's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// C type without array brackets and location markers, for example `const char *` or `unsigned long`.
    pub c_type: String,
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes in the record.
    pub size: u32,
    /// Whether the kernel calls the type signed. Pointers and arrays are not.
    pub signed: bool,
    /// How the value is stored.
    pub shape: Shape,
    /// One of the fields that every event has (`common_pid` …): not visible to BPF programs on tracepoints
    /// before their own fields.
    pub common: bool,
}

/// How a field's value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One value in the record.
    Scalar,
    /// That many values in the record, one after another.
    Array(u32),
    /// A 32-bit word: low half the offset of the data from the start of the record, high half its size
    /// (`__data_loc`).
    DataLoc,
    /// The same, with the offset counted from the end of the word itself (`__rel_loc`, Linux 5.18).
    RelLoc,
}

impl Tracefs {
    /// Finds the mounted tracefs.
    ///
    /// # Errors
    /// [`Error::NoTracefs`] when there is none, [`Error::Permission`] when there is one that the caller may
    /// not enter.
    pub fn find() -> Result<Tracefs, Error> {
        let mut denied = None;
        for root in MOUNT_POINTS {
            let root = PathBuf::from(root);
            match fs::metadata(root.join("events")) {
                Ok(_) => return Ok(Tracefs { root }),
                Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                    denied = Some(Error::io(&root, e));
                }
                Err(_) => {}
            }
        }
        Err(denied.unwrap_or(Error::NoTracefs))
    }

    /// A tracefs at a given place.
    pub fn at(root: impl Into<PathBuf>) -> Tracefs {
        Tracefs { root: root.into() }
    }

    /// Where it is mounted.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All tracepoints, in the kernel's order.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn events(&self) -> Result<Vec<EventName>, Error> {
        let text = self.read(Path::new("available_events"))?;
        let names = text.lines().filter_map(|line| line.split_once(':'));
        Ok(names.map(|(c, e)| EventName { category: c.to_string(), event: e.to_string() }).collect())
    }

    /// The record of one tracepoint.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the kernel has no such tracepoint; [`Error::Format`] when its description is
    /// not understood.
    pub fn format(&self, category: &str, event: &str) -> Result<Format, Error> {
        let path = Path::new("events").join(category).join(event).join("format");
        let full = self.root.join(&path);
        // Names come from scripts: they must not lead out of the folder.
        if [category, event].iter().any(|part| part.contains('/') || matches!(*part, "" | "." | "..")) {
            return Err(Error::NotFound { path: full });
        }
        let text = self.read(&path)?;
        parse_format(&text).map_err(|what| Error::format(&full, what))
    }

    fn read(&self, path: &Path) -> Result<String, Error> {
        let path = self.root.join(path);
        let bytes = fs::read(&path).map_err(|e| Error::io(&path, e))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Parses the text of an event's `format` file.
///
/// # Errors
/// What is missing or wrong, in words.
pub fn parse_format(text: &str) -> Result<Format, String> {
    let header = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        value.ok_or_else(|| format!("no line `{key}`"))
    };
    let name = header("name:")?.to_string();
    let id = header("ID:")?;
    let id = id.parse().map_err(|_| format!("event number `{id}` is not a number"))?;
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("field:"));
    let fields = lines.map(|line| parse_field(line).ok_or_else(|| format!("cannot read `{line}`")));
    Ok(Format { name, id, fields: fields.collect::<Result<_, _>>()? })
}

/// Parses `field:TYPE NAME[N]; offset:N; size:N; signed:N;`.
fn parse_field(line: &str) -> Option<Field> {
    let mut parts = line.split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?.trim();
    let (mut offset, mut size, mut signed) = (None, None, false);
    for part in parts {
        match part.split_once(':') {
            Some(("offset", n)) => offset = n.trim().parse().ok(),
            Some(("size", n)) => size = n.trim().parse().ok(),
            Some(("signed", n)) => signed = n.trim() == "1",
            _ => {}
        }
    }
    let size: u32 = size?;

    let locations = [("__data_loc ", Shape::DataLoc), ("__rel_loc ", Shape::RelLoc)];
    let located = locations.iter().find_map(|(mark, shape)| Some((declaration.strip_prefix(mark)?, *shape)));
    let (declaration, location) = match located {
        Some((rest, shape)) => (rest.trim(), Some(shape)),
        None => (declaration, None),
    };
    // The brackets of an array stand after the name; those of located data after the type (`char[] name`).
    let (declaration, length) = match declaration.strip_suffix(']').and_then(|d| d.rsplit_once('[')) {
        Some((rest, length)) => (rest, Some(length)),
        None => (declaration, None),
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let start = declaration.trim_end().rfind(|c: char| !is_word(c))?;
    let (c_type, name) = declaration.trim_end().split_at_checked(start + 1)?;
    let c_type = c_type.trim_end().trim_end_matches("[]").trim_end().to_string();
    if name.is_empty() || c_type.is_empty() {
        return None;
    }
    let shape = match (location, length) {
        (Some(location), _) => location,
        (None, None) => Shape::Scalar,
        // Some lengths are constants of the kernel's source or expressions: then only the sizes of known
        // types help.
        (None, Some(length)) => {
            Shape::Array(length.trim().parse().ok().unwrap_or(size / element_size(&c_type)))
        }
    };
    let common = name.starts_with("common_");
    Some(Field { name: name.to_string(), c_type, offset: offset?, size, signed, shape, common })
}

/// Bytes of the basic types that arrays are made of; others count as bytes.
fn element_size(c_type: &str) -> u32 {
    match c_type.trim_start_matches("unsigned ").trim_start_matches("const ") {
        "short" | "u16" | "__u16" | "s16" | "__s16" | "__be16" | "__le16" => 2,
        "int" | "u32" | "__u32" | "s32" | "__s32" | "__be32" | "__le32" => 4,
        "long" | "long long" | "u64" | "__u64" | "s64" | "__s64" | "__be64" | "__le64" => 8,
        other if other.ends_with('*') => 8,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
name: sample
ID: 372
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;
\tfield:__data_loc char[] name;\toffset:32;\tsize:4;\tsigned:0;
\tfield:__rel_loc u64[] words;\toffset:36;\tsize:4;\tsigned:0;
\tfield:__u32 saddr[COUNT + 1];\toffset:40;\tsize:16;\tsigned:0;
\tfield:const char *const *argv;\toffset:56;\tsize:8;\tsigned:0;
\tfield:long state;\toffset:64;\tsize:8;\tsigned:1;

print fmt: \"field:x\", REC->state
";

    #[test]
    fn sample() {
        let format = parse_format(SAMPLE).expect("sample is well formed");
        assert_eq!((format.name.as_str(), format.id, format.fields.len()), ("sample", 372, 9));
        let of = |name: &str| {
            let f = format.field(name).expect(name);
            (f.c_type.as_str(), f.offset, f.size, f.signed, f.shape)
        };
        assert_eq!(of("prev_comm"), ("char", 8, 16, false, Shape::Array(16)));
        assert_eq!(of("filename"), ("const char *", 24, 8, false, Shape::Scalar));
        assert_eq!(of("name"), ("char", 32, 4, false, Shape::DataLoc));
        assert_eq!(of("words"), ("u64", 36, 4, false, Shape::RelLoc));
        assert_eq!(of("saddr"), ("__u32", 40, 16, false, Shape::Array(4)));
        assert_eq!(of("argv"), ("const char *const *", 56, 8, false, Shape::Scalar));
        assert_eq!(of("state"), ("long", 64, 8, true, Shape::Scalar));
        assert_eq!(format.own_fields().count(), 7);
    }

    #[test]
    fn damage_is_told() {
        assert_eq!(parse_format(""), Err("no line `name:`".to_string()));
        assert!(parse_format("name: x\nID: y\n").is_err());
        assert!(parse_format("name: x\nID: 1\n\tfield:int;\n").is_err());
        assert!(parse_format("name: x\nID: 1\n\tfield:int a; offset:1; size:z;\n").is_err());
        for end in 0..SAMPLE.len() {
            let _ = parse_format(SAMPLE.get(..end).unwrap_or_default());
        }
    }

    #[test]
    fn names_stay_in_the_folder() {
        let tracefs = Tracefs::at("/proc");
        assert!(matches!(tracefs.format("..", "self"), Err(Error::NotFound { .. })));
        assert!(matches!(tracefs.format("a/b", "c"), Err(Error::NotFound { .. })));
    }
}
