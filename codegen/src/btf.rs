//! Writes BTF type information and its extension (Documentation/bpf/btf.rst): what a BPF object needs so that libbpf finds
//! its maps, and the kernel and bpftool show script lines.

/// `BTF_MAGIC`
const MAGIC: u16 = 0xeb9f;
/// Length of the headers that are written here.
const HEADER_LEN: u32 = 24;

const KIND_INT: u32 = 1;
const KIND_PTR: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;

/// Id of a type; 0 is `void`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TypeId(pub u32);

/// The `.BTF` section under construction.
#[derive(Debug)]
pub struct Btf {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Default for Btf {
    fn default() -> Btf {
        // String offset 0 is the empty name.
        Btf { types: Vec::new(), strings: vec![0], count: 0 }
    }
}

impl Btf {
    /// Offset of a new string.
    pub fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        // A NUL would end the string early; nothing that is named here has one, source lines might.
        self.strings.extend(text.bytes().take_while(|b| *b != 0));
        self.strings.push(0);
        at
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.types.extend(word.to_le_bytes());
        }
    }

    fn add(&mut self, name: &str, kind: u32, vlen: u32, size_or_type: u32, rest: &[u32]) -> TypeId {
        let name = self.string(name);
        self.words(&[name, kind << 24 | vlen, size_or_type]);
        self.words(rest);
        self.count += 1;
        TypeId(self.count)
    }

    /// A signed integer type.
    pub fn int(&mut self, name: &str, bytes: u32) -> TypeId {
        const SIGNED: u32 = 1 << 24;
        self.add(name, KIND_INT, 0, bytes, &[SIGNED | (bytes * 8)])
    }

    /// A pointer type.
    pub fn pointer(&mut self, to: TypeId) -> TypeId {
        self.add("", KIND_PTR, 0, to.0, &[])
    }

    /// An array of `count` elements, indexed by `of`.
    pub fn array(&mut self, of: TypeId, count: u32) -> TypeId {
        self.add("", KIND_ARRAY, 0, 0, &[of.0, of.0, count])
    }

    /// An anonymous structure of pointers.
    pub fn pointers(&mut self, members: &[(&str, TypeId)]) -> TypeId {
        let mut rest = Vec::new();
        for (n, (name, ty)) in members.iter().enumerate() {
            rest.extend([self.string(name), ty.0, n as u32 * 64]);
        }
        self.add("", KIND_STRUCT, members.len() as u32, members.len() as u32 * 8, &rest)
    }

    /// A function type.
    pub fn prototype(&mut self, result: TypeId, parameters: &[(&str, TypeId)]) -> TypeId {
        let mut rest = Vec::new();
        for (name, ty) in parameters {
            rest.extend([self.string(name), ty.0]);
        }
        self.add("", KIND_FUNC_PROTO, parameters.len() as u32, result.0, &rest)
    }

    /// A global function.
    pub fn function(&mut self, name: &str, prototype: TypeId) -> TypeId {
        const GLOBAL: u32 = 1;
        self.add(name, KIND_FUNC, GLOBAL, prototype.0, &[])
    }

    /// A function that only its own program calls.
    pub fn static_function(&mut self, name: &str, prototype: TypeId) -> TypeId {
        self.add(name, KIND_FUNC, 0, prototype.0, &[])
    }

    /// A global variable.
    pub fn variable(&mut self, name: &str, ty: TypeId) -> TypeId {
        const GLOBAL: u32 = 1;
        self.add(name, KIND_VAR, 0, ty.0, &[GLOBAL])
    }

    /// A data section with its variables: type, offset, size.
    pub fn section(&mut self, name: &str, size: u32, variables: &[(TypeId, u32, u32)]) -> TypeId {
        let rest: Vec<u32> = variables.iter().flat_map(|(ty, offset, size)| [ty.0, *offset, *size]).collect();
        self.add(name, KIND_DATASEC, variables.len() as u32, size, &rest)
    }

    /// The bytes of the section.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut out = header(&[0, types, types, strings]);
        out.extend(self.types);
        out.extend(self.strings);
        out
    }
}

fn header(fields: &[u32; 4]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(MAGIC.to_le_bytes());
    out.extend([1, 0]); // version, flags
    out.extend(HEADER_LEN.to_le_bytes());
    for field in fields {
        out.extend(field.to_le_bytes());
    }
    out
}

/// The `.BTF.ext` section under construction: per ELF section, where functions start and which lines they come from.
#[derive(Debug, Default)]
pub struct BtfExt {
    functions: Vec<(u32, Vec<[u32; 2]>)>,
    lines: Vec<(u32, Vec<[u32; 4]>)>,
}

/// A line record.
#[derive(Clone, Copy, Debug)]
pub struct LineInfo {
    /// Byte offset of the instruction in its section.
    pub offset: u32,
    /// String offset of the file name.
    pub file: u32,
    /// String offset of the text of the line.
    pub text: u32,
    /// From 1.
    pub line: u32,
    /// From 1; saturates at 1023.
    pub column: u32,
}

impl BtfExt {
    /// Notes a function at a byte offset of a section (given by the string offset of its name).
    pub fn function(&mut self, section: u32, offset: u32, ty: TypeId) {
        push(&mut self.functions, section, [offset, ty.0]);
    }

    /// Notes the line of an instruction.
    pub fn line(&mut self, section: u32, info: LineInfo) {
        let place = info.line << 10 | info.column.min(1023);
        push(&mut self.lines, section, [info.offset, info.file, info.text, place]);
    }

    /// The bytes of the section.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let (functions, lines) = (table(&self.functions), table(&self.lines));
        let (f, l) = (functions.len() as u32, lines.len() as u32);
        let mut out = header(&[0, f, f, l]);
        out.extend(functions);
        out.extend(lines);
        out
    }
}

fn push<const N: usize>(table: &mut Vec<(u32, Vec<[u32; N]>)>, section: u32, record: [u32; N]) {
    match table.iter_mut().find(|(s, _)| *s == section) {
        Some((_, records)) => records.push(record),
        None => table.push((section, vec![record])),
    }
}

/// A table of records; empty (without the record size, which libbpf would reject) when there are none.
fn table<const N: usize>(sections: &[(u32, Vec<[u32; N]>)]) -> Vec<u8> {
    let mut words: Vec<u32> = Vec::new();
    if !sections.is_empty() {
        words.push(4 * N as u32);
    }
    for (section, records) in sections {
        words.extend([*section, records.len() as u32]);
        words.extend(records.iter().flatten());
    }
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}
