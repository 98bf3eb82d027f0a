//! Writes an [`Object`] as a relocatable BPF ELF file: what libbpf, bpftool and aya load.

use crate::btf::{Btf, BtfExt, LineInfo, TypeId};
use crate::insn::Insn;
use crate::object::{FuncRef, MapDef, MapRef, Object};
use lang::span::Span;
use object::write::{self, Relocation, SectionId, StandardSegment, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};
use std::collections::HashMap;

/// Licence that the kernel is told: helpers that read memory are for GPL-compatible programs only.
const LICENSE: &[u8] = b"Dual MIT/GPL\0";

/// The bytes of the file.
///
/// # Errors
/// Only if the `object` crate refuses its input, which would be a bug here.
pub fn write(source: &Object) -> Result<Vec<u8>, write::Error> {
    let mut writer = Writer {
        out: write::Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little),
        btf: Btf::default(),
        ext: BtfExt::default(),
        source,
        symbols: Vec::new(),
    };
    let license = writer.out.add_section(Vec::new(), b"license".to_vec(), SectionKind::Data);
    writer.out.append_section_data(license, LICENSE, 1);
    writer.maps();
    writer.programs()?;
    let Writer { mut out, btf, ext, .. } = writer;
    for (name, bytes) in [(".BTF", btf.finish()), (".BTF.ext", ext.finish())] {
        let segment = out.segment_name(StandardSegment::Debug).to_vec();
        let section = out.add_section(segment, name.as_bytes().to_vec(), SectionKind::Debug);
        out.append_section_data(section, &bytes, 4);
    }
    out.write()
}

struct Writer<'a> {
    out: write::Object<'static>,
    btf: Btf,
    ext: BtfExt,
    source: &'a Object,
    /// Symbol of each map.
    symbols: Vec<SymbolId>,
}

impl Writer<'_> {
    /// Maps are variables of section `.maps` whose BTF types spell the definition; global data has sections of its own.
    fn maps(&mut self) {
        let int = self.btf.int("int", 4);
        let mut section = None;
        let mut variables = Vec::new();
        for map in &self.source.maps {
            if map.name.starts_with('.') {
                let symbol = self.global_data(map);
                self.symbols.push(symbol);
                continue;
            }
            let section = *section.get_or_insert_with(|| {
                self.out.add_section(Vec::new(), b".maps".to_vec(), SectionKind::Data)
            });
            let definition = self.definition(map, int);
            let variable = self.btf.variable(&map.name, definition.0);
            let bytes = vec![0; definition.1 as usize];
            let offset = self.out.append_section_data(section, &bytes, 8);
            variables.push((variable, offset as u32, definition.1));
            let symbol = self.symbol(&map.name, offset, u64::from(definition.1), SymbolKind::Data, section);
            self.symbols.push(symbol);
        }
        if !variables.is_empty() {
            let size = variables.iter().map(|v| v.2).sum();
            self.btf.section(".maps", size, &variables);
        }
    }

    /// The structure that defines a map, in libbpf's convention: each attribute is a pointer to an array of that many
    /// elements. Gives the type and its size.
    fn definition(&mut self, map: &MapDef, int: TypeId) -> (TypeId, u32) {
        let attributes = [
            ("type", map.kind as u32),
            ("max_entries", map.max_entries),
            ("key_size", map.key_size),
            ("value_size", map.value_size),
        ];
        let members: Vec<(&str, TypeId)> = attributes
            .into_iter()
            .filter(|(_, value)| *value > 0)
            .map(|(name, value)| {
                let array = self.btf.array(int, value);
                (name, self.btf.pointer(array))
            })
            .collect();
        (self.btf.pointers(&members), members.len() as u32 * 8)
    }

    fn global_data(&mut self, map: &MapDef) -> SymbolId {
        let size = u64::from(map.value_size);
        let name = map.name.as_bytes().to_vec();
        let section = if map.name == ".bss" {
            let section = self.out.add_section(Vec::new(), name, SectionKind::UninitializedData);
            self.out.append_section_bss(section, size, 8);
            section
        } else {
            let section = self.out.add_section(Vec::new(), name, SectionKind::Data);
            self.out.append_section_data(section, &vec![0; size as usize], 8);
            section
        };
        let symbol = map.name.replace('.', "_");
        self.symbol(&format!("gotrace{symbol}"), 0, size, SymbolKind::Data, section)
    }

    fn symbol(
        &mut self,
        name: &str,
        value: u64,
        size: u64,
        kind: SymbolKind,
        section: SectionId,
    ) -> SymbolId {
        self.out.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size,
            kind,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    fn programs(&mut self) -> Result<(), write::Error> {
        let int = self.btf.int("long", 8);
        let context = self.btf.pointer(TypeId(0));
        let prototype = self.btf.prototype(int, &[("ctx", context)]);
        let Object { source_name, source, imported, .. } = self.source;
        let script: Vec<File> = imported
            .parts(source_name, source)
            .into_iter()
            .map(|part| File {
                start: part.start,
                name: self.btf.string(part.name),
                lines: part.text.lines().map(|l| self.btf.string(l)).collect(),
                starts: LineStarts::new(part.text),
            })
            .collect();
        let text = self.subprograms(&script, int)?;
        // Programs of one kind share a section: libbpf wants the bare name for some kinds.
        let mut sections: HashMap<&str, (SectionId, u32)> = HashMap::new();
        for (program, subs) in self.source.programs.iter().zip(&text) {
            let (section, name) = match sections.get(program.section) {
                Some(known) => *known,
                None => {
                    let name = program.section.as_bytes().to_vec();
                    let section = self.out.add_section(Vec::new(), name, SectionKind::Text);
                    let known = (section, self.btf.string(program.section));
                    sections.insert(program.section, known);
                    known
                }
            };
            let code = Code {
                name: &program.name,
                scope: SymbolScope::Dynamic,
                insns: &program.insns,
                map_refs: &program.map_refs,
                func_refs: &program.func_refs,
            };
            let base = self.code(&code, section, subs)?;
            let function = self.btf.function(&program.name, prototype);
            self.ext.function(name, base as u32, function);
            self.lines(name, base, &program.lines, &script);
        }
        Ok(())
    }

    /// The functions that programs call and helpers call back, in the section that linkers look for them in. Gives their offsets, by program.
    fn subprograms(
        &mut self,
        script: &[File],
        word: TypeId,
    ) -> Result<Vec<Vec<(SectionId, u64)>>, write::Error> {
        const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
        let mut out = Vec::new();
        let mut prototypes: HashMap<usize, TypeId> = HashMap::new();
        let mut text = None;
        for program in &self.source.programs {
            let mut offsets = Vec::new();
            // A function comes behind those that it refers to.
            for sub in &program.subs {
                let (section, name) = *text.get_or_insert_with(|| {
                    let section = self.out.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
                    (section, self.btf.string(".text"))
                });
                let code = Code {
                    name: &sub.name,
                    scope: if sub.separate { SymbolScope::Dynamic } else { SymbolScope::Compilation },
                    insns: &sub.insns,
                    map_refs: &sub.map_refs,
                    func_refs: &sub.func_refs,
                };
                let base = self.code(&code, section, &offsets)?;
                let btf = &mut self.btf;
                let prototype = *prototypes.entry(sub.params).or_insert_with(|| {
                    let params: Vec<(&str, TypeId)> =
                        NAMES.map(|n| (n, word)).into_iter().take(sub.params).collect();
                    btf.prototype(word, &params)
                });
                let function = match sub.separate {
                    true => self.btf.function(&sub.name, prototype),
                    false => self.btf.static_function(&sub.name, prototype),
                };
                self.ext.function(name, base as u32, function);
                self.lines(name, base, &sub.lines, script);
                offsets.push((section, base));
            }
            out.push(offsets);
        }
        Ok(out)
    }

    /// Line information of the instructions at an offset of a section.
    fn lines(&mut self, section: u32, base: u64, lines: &[(usize, Span)], script: &[File]) {
        for (insn, span) in lines {
            let Some(file) = script.get(self.source.imported.index(span.start)) else { continue };
            let (line, column) = file.starts.position(span.start - file.start);
            let Some(text) = file.lines.get(line as usize - 1) else { continue };
            let offset = base as u32 + 8 * *insn as u32;
            self.ext.line(section, LineInfo { offset, file: file.name, text: *text, line, column });
        }
    }

    /// Appends the instructions of a function and gives their offset in the section. `subs` is where the functions are that it
    /// refers to.
    fn code(
        &mut self,
        code: &Code<'_>,
        section: SectionId,
        subs: &[(SectionId, u64)],
    ) -> Result<u64, write::Error> {
        let mut insns = code.insns.to_vec();
        for map_ref in code.map_refs {
            if let (Some(insn), Some(offset)) = (insns.get_mut(map_ref.insn), map_ref.value_offset) {
                insn.imm = offset as i32;
            }
        }
        for func_ref in code.func_refs {
            if let (Some(insn), Some((_, offset))) = (insns.get_mut(func_ref.insn), subs.get(func_ref.sub)) {
                // A call counts instructions, and from the one behind it on.
                insn.imm = if insn.is_call() { (*offset / 8) as i32 - 1 } else { *offset as i32 };
            }
        }
        let bytes: Vec<u8> = insns.iter().flat_map(|i| i.bytes()).collect();
        let base = self.out.append_section_data(section, &bytes, 8);
        let scope = code.scope;
        let symbol = self.symbol(code.name, base, bytes.len() as u64, SymbolKind::Text, section);
        self.out.symbol_mut(symbol).scope = scope;
        let mut relocations: Vec<(usize, SymbolId, u32)> = Vec::new();
        let maps = code.map_refs.iter();
        relocations.extend(maps.map(|at| (at.insn, self.symbols[at.map], object::elf::R_BPF_64_64)));
        for func_ref in code.func_refs {
            if let Some((text, _)) = subs.get(func_ref.sub) {
                let is_call = insns.get(func_ref.insn).is_some_and(|insn| insn.is_call());
                let r_type = if is_call { object::elf::R_BPF_64_32 } else { object::elf::R_BPF_64_64 };
                relocations.push((func_ref.insn, self.out.section_symbol(*text), r_type));
            }
        }
        for (insn, symbol, r_type) in relocations {
            let flags = RelocationFlags::Elf { r_type };
            let offset = base + 8 * insn as u64;
            self.out.add_relocation(section, Relocation { offset, symbol, addend: 0, flags })?;
        }
        Ok(base)
    }
}

/// A file of the script for line information: string offsets of its name and its lines.
struct File {
    /// Offset of its text in that of the script.
    start: u32,
    name: u32,
    lines: Vec<u32>,
    starts: LineStarts,
}

/// A function to be appended to a section.
struct Code<'a> {
    name: &'a str,
    scope: SymbolScope,
    insns: &'a [Insn],
    map_refs: &'a [MapRef],
    func_refs: &'a [FuncRef],
}

/// Finds line and column of byte offsets.
struct LineStarts(Vec<u32>);

impl LineStarts {
    fn new(source: &str) -> LineStarts {
        let newlines = source.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1);
        LineStarts(std::iter::once(0).chain(newlines).collect())
    }

    /// Line and column, both from 1.
    fn position(&self, offset: u32) -> (u32, u32) {
        let line = self.0.partition_point(|start| *start <= offset).max(1);
        (line as u32, offset - self.0[line - 1] + 1)
    }
}
