//! The type descriptors of real Go binaries, checked against the debug information of the same binary: sizes, members and signatures
//! must be the same.

use inspect::go::GoBinary;
use inspect::go::map::MapForm;
use inspect::go::signature::{Kind, TypeSource};
use inspect::go::types::TypeInfo;

use super::each;

fn named(go: &GoBinary, name: &str) -> TypeInfo {
    let ty = go.runtime_type_named(name).unwrap_or_else(|| panic!("no descriptor of {name}"));
    go.type_info(ty).expect("no debug information is read").unwrap_or_else(|| panic!("{name} cannot be read"))
}

#[test]
fn all_types_can_be_read_and_have_unique_names() {
    each(|path, _, go| {
        let mut names = std::collections::HashMap::new();
        for ty in go.runtime_type_list() {
            let info = go.type_info(ty).expect("no debug information is read");
            let info = info.unwrap_or_else(|| panic!("{path}: {ty:?}"));
            assert!(!info.name.contains('?'), "{path}: {}", info.name);
            // Names lead to layouts, so no two types of different layout may share one.
            let layout = (info.size, info.members.clone());
            let known = names.entry(info.name.clone()).or_insert_with(|| layout.clone());
            assert_eq!(*known, layout, "{path}: {}", info.name);
        }
        assert!(names.len() > 500, "{path}: {}", names.len());
    });
}

#[test]
fn the_goroutine_is_where_the_table_says() {
    each(|path, _, go| {
        let offsets = go.goroutine_offsets();
        let read = inspect::go::goroutine::GoroutineOffsets::of_types(go);
        assert_eq!(read, Some(offsets), "{path}");
        let (g, m) = (named(go, "runtime.g"), named(go, "runtime.m"));
        let member = |of: &TypeInfo, name: &str| of.members.iter().find(|m| m.name == name).map(|m| m.offset);
        assert_eq!(member(&g, "goid"), Some(offsets.goid), "{path}");
        assert_eq!(member(&g, "m"), Some(offsets.m), "{path}");
        assert_eq!(member(&g, "atomicstatus"), Some(offsets.status), "{path}");
        assert_eq!(member(&g, "waitreason"), Some(offsets.wait_reason), "{path}");
        assert_eq!(member(&g, "parentGoid"), offsets.parent_goid, "{path}");
        assert_eq!(member(&g, "gopc"), Some(offsets.gopc), "{path}");
        assert_eq!(member(&g, "startpc"), Some(offsets.startpc), "{path}");
        assert_eq!(member(&m, "curg"), Some(offsets.m_curg), "{path}");
        assert_eq!(member(&m, "procid"), Some(offsets.m_procid), "{path}");
    });
}

#[test]
fn signatures_of_methods_are_those_of_the_debug_information() {
    each(|path, _, go| {
        let mut compared = 0;
        for f in go.functions() {
            let Some(types) = go.method_signature(&f) else { continue };
            assert_eq!(types.source, TypeSource::Descriptors);
            let listed = go.signature(&f).expect("debug information is whole or absent");
            let Some(listed) = listed.filter(|s| s.source == TypeSource::DebugInfo) else { continue };
            // Debug information calls `unsafe.Pointer` a pointer.
            let kind = |kind| if kind == Kind::UnsafePointer { Kind::Pointer } else { kind };
            let shape = |p: &inspect::go::signature::Parameter| (kind(p.kind), p.size, p.align);
            let shapes = |list: &[inspect::go::signature::Parameter]| -> Vec<(Kind, u32, u32)> {
                let mut shapes: Vec<_> = list.iter().filter(|p| p.name != ".dict").map(shape).collect();
                // Debug information of Go 1.15 may list parameters out of order.
                if go.release().0 == 15 {
                    shapes.sort_by_key(|(kind, size, align)| (*kind as u8, *size, *align));
                }
                shapes
            };
            let at = format!("{path}: {}", f.name());
            // Debug information before Go 1.22 lacks parameters called `_`.
            if go.release().0 < 22 && listed.params.len() < types.params.len() {
                continue;
            }
            assert_eq!(shapes(&types.params), shapes(&listed.params), "{at}");
            assert_eq!(shapes(&types.results), shapes(&listed.results), "{at}");
            compared += 1;
        }
        assert!(compared > 50 || !go.has_debug_info(), "{path}: {compared}");
    });
}

#[test]
fn reasons_to_wait_are_found() {
    // Numbers that changed between releases: the sleep of a goroutine.
    const SLEEP: [(u32, usize); 3] = [(15, 19), (25, 20), (26, 14)];
    each(|path, _, go| {
        let reasons = go.wait_reasons();
        let release = u32::from(go.release().0);
        let number =
            SLEEP.iter().rev().find(|(since, _)| release >= *since).map(|(_, n)| *n).expect("a release");
        assert_eq!(reasons.get(number).map(String::as_str), Some("sleep"), "{path}: {reasons:?}");
        assert_eq!(reasons.get(1).map(String::as_str), Some("GC assist marking"), "{path}");
    });
}

/// What the runtime itself goes by: a map type's descriptor ends with the sizes and offsets of its buckets or groups
/// (`MapType` of `internal/abi`, before Go 1.21 `runtime.maptype`).
#[test]
fn maps_are_laid_out_as_their_descriptors_say() {
    each(|path, binary, go| {
        let mut compared = 0;
        for ty in go.runtime_type_list() {
            let (Some(layout), Some(at)) = (go.map_layout(ty), ty.descriptor()) else { continue };
            let word = |offset: u64| binary.image().read_word(at + offset).expect("inside the type data");
            let computed = (layout.size, layout.keys.offset, layout.keys.stride);
            let element = layout.elements;
            let told = |offset: u64| word(offset) as u32;
            match (layout.form, go.release().0) {
                (MapForm::Buckets, _) => {
                    let sizes = word(80);
                    let (key, value, bucket) = (sizes as u8, (sizes >> 8) as u8, (sizes >> 16) as u16);
                    let told = (u32::from(bucket), 8, u32::from(key));
                    assert_eq!(computed, told, "{path}: {ty:?}");
                    assert_eq!(element.stride, u32::from(value), "{path}: {ty:?}");
                    assert_eq!(element.offset, 8 + 8 * u32::from(key), "{path}: {ty:?}");
                }
                (MapForm::Groups, ..27) => {
                    assert_eq!(computed, (told(80), 8, told(88)), "{path}: {ty:?}");
                    assert_eq!((element.offset, element.stride), (8 + told(96), told(88)), "{path}: {ty:?}");
                }
                (MapForm::Groups, _) => {
                    assert_eq!(computed, (told(80), told(88), told(96)), "{path}: {ty:?}");
                    assert_eq!((element.offset, element.stride), (told(104), told(112)), "{path}: {ty:?}");
                }
            }
            compared += 1;
        }
        assert!(compared > 1, "{path}: {compared}");
    });
}
