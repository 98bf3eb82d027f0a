use super::*;

/// Builds a blob: types as words, strings with their NULs.
fn blob(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(MAGIC.to_le_bytes());
    out.extend([1, 0]);
    let types_len = u32::try_from(types.len() * 4).expect("small");
    let strings_len = u32::try_from(strings.len()).expect("small");
    for word in [24, 0, types_len, types_len, strings_len] {
        out.extend(word.to_le_bytes());
    }
    for word in types {
        out.extend(word.to_le_bytes());
    }
    out.extend(strings);
    out
}

fn info(kind: u8, items: u32, flag: bool) -> u32 {
    u32::from(kind) << 24 | items | u32::from(flag) << 31
}

// offsets:              0 1   5   10      18     25     32   37 40
const STRINGS: &[u8] = b"\0int\0task\0fsbase\0thread\0inner_t\0bits\0fn\0ARG\0";

/// int; struct { long fsbase @8 }; anonymous union of it; struct task { union @64; inner_t thread @128; int
/// bits:3 @200 }; …
fn sample() -> Btf {
    let types = [
        // 1: int, 4 bytes, signed
        [1, info(kind::INT, 0, false), 4, 1 << 24 | 32].as_slice(),
        // 2: struct { int fsbase; } of 16 bytes, member at bit 64
        &[0, info(kind::STRUCT, 1, false), 16, 10, 1, 64],
        // 3: typedef inner_t
        &[24, info(kind::TYPEDEF, 0, false), 2],
        // 4: struct task { struct 2 (anonymous) @64; inner_t thread @192; int bits:3 @325 }
        &[5, info(kind::STRUCT, 3, true), 48, 0, 2, 64, 17, 3, 192, 32, 1, 3 << 24 | 325],
        // 5: int[5]; 6: int *; 7: prototype int(int ARG); 8: function fn
        &[0, info(kind::ARRAY, 0, false), 0, 1, 1, 5],
        &[0, info(kind::PTR, 0, false), 1],
        &[0, info(kind::FUNC_PROTO, 1, false), 1, 40, 1],
        &[37, info(kind::FUNC, 1, false), 7],
        // 9: enum { ARG = -2 }
        &[0, info(kind::ENUM, 1, true), 4, 40, u32::MAX - 1],
        // 10: a typedef of itself
        &[24, info(kind::TYPEDEF, 0, false), 10],
    ]
    .concat();
    Btf::from_bytes(blob(&types, STRINGS), Path::new("sample")).expect("sample is well formed")
}

#[test]
fn types_with_a_name() {
    let btf = sample();
    let names: Vec<Type<'_>> = btf.tagged().map(|(_, ty)| ty).collect();
    assert_eq!(names.first(), Some(&Type::Struct { name: "task", size: 48 }), "{names:?}");
    assert!(names.iter().all(|ty| !matches!(ty, Type::Struct { name: "", .. })));
}

#[test]
fn members_and_paths() {
    let btf = sample();
    let task = btf.find_struct("task").expect("task");
    assert_eq!(task, TypeId(4));
    let offset = |path: &str| btf.member(task, path).map(|m| m.bit_offset);
    assert_eq!(offset("thread.fsbase"), Some(192 + 64));
    assert_eq!(offset("fsbase"), Some(64 + 64), "through the anonymous member");
    assert_eq!(offset("thread.nothing"), None);
    assert_eq!(offset("fsbase.deeper"), None);
    assert_eq!(offset(""), None);
    let bits = btf.member(task, "bits").expect("bits");
    assert_eq!((bits.bit_offset, bits.bit_width, bits.byte_offset()), (325, Some(3), None));
    assert_eq!(btf.members(task).count(), 3);
}

#[test]
fn types() {
    let btf = sample();
    assert_eq!(btf.ty(TypeId(1)), Some(Type::Int { name: "int", size: 4, signed: true }));
    assert_eq!(btf.resolve(TypeId(3)), Some(TypeId(2)));
    assert_eq!(
        [btf.size_of(TypeId(5)), btf.size_of(TypeId(6)), btf.size_of(TypeId(3))],
        [Some(20), Some(8), Some(16)]
    );
    assert_eq!(btf.size_of(TypeId(0)), None);
    assert_eq!(btf.ty(TypeId(99)), None);
    assert_eq!(btf.resolve(TypeId(10)), None, "a typedef of itself ends");
    let function = btf.find_function("fn").expect("fn");
    assert_eq!(function, TypeId(8));
    assert_eq!(btf.parameters(function).map(|p| (p.name, p.ty)).collect::<Vec<_>>(), [("ARG", TypeId(1))]);
    assert_eq!(btf.enumerator("ARG"), Some(-2));
    assert_eq!(btf.functions().count(), 1);
}

#[test]
fn loads_that_the_verifier_allows() {
    let types = [
        // 1: int; 2: struct task *; 3: int *; 4: a tagged struct task; 5: a pointer to that; 6: int[3]
        [1, info(kind::INT, 0, false), 4, 1 << 24 | 32].as_slice(),
        &[0, info(kind::PTR, 0, false), 9],
        &[0, info(kind::PTR, 0, false), 1],
        &[40, info(kind::TYPE_TAG, 0, false), 9],
        &[0, info(kind::PTR, 0, false), 4],
        &[0, info(kind::ARRAY, 0, false), 0, 1, 1, 3],
        // 7: union { int; int *; }; 8: struct { int[3]; int *; } of 24 bytes
        &[0, info(kind::UNION, 2, false), 8, 10, 1, 0, 10, 3, 0],
        &[0, info(kind::STRUCT, 2, false), 24, 10, 6, 0, 10, 3, 128],
        // 9: struct task { int @0; int bits:3 @5 bytes, bits:7 @ bit 60; task * @8; int * @16; tagged * @24; struct 8[2] @32; union @80 }
        &[5, info(kind::STRUCT, 8, true), 88, 10, 1, 0, 32, 1, 3 << 24 | 40, 32, 1, 7 << 24 | 60],
        &[10, 2, 64, 10, 3, 128, 10, 5, 192, 10, 10, 256, 10, 7, 640],
        // 10: struct 8[2]
        &[0, info(kind::ARRAY, 0, false), 0, 8, 1, 2],
    ]
    .concat();
    let btf = Btf::from_bytes(blob(&types, STRINGS), Path::new("sample")).expect("well formed");
    let task = btf.find_struct("task").expect("task");
    let loaded = |offset, size| btf.loaded(task, offset, size);
    let (number, pointer) = (Some(Loaded::Number), Some(Loaded::Pointer));
    assert_eq!([loaded(0, 4), loaded(2, 2), loaded(0, 8), loaded(2, 4)], [number, number, None, None]);
    assert_eq!([loaded(5, 1), loaded(7, 1), loaded(7, 2)], [number, None, number], "whole bit-fields only");
    assert_eq!([loaded(8, 8), loaded(8, 4), loaded(12, 8)], [pointer, None, None], "pointers only whole");
    assert_eq!(loaded(16, 8), number, "what points to no structure");
    assert_eq!(loaded(24, 8), None, "a tagged pointer");
    assert_eq!([loaded(40, 4), loaded(56, 4), loaded(64, 4)], [number; 3], "elements");
    assert_eq!(
        [loaded(72, 8), loaded(44, 4), loaded(38, 4)],
        [number, None, None],
        "a pointer, padding, two elements"
    );
    assert_eq!([loaded(80, 4), loaded(80, 8)], [None, None], "a union");
    assert_eq!([loaded(88, 4), loaded(u32::MAX, 8), btf.loaded(TypeId(1), 0, 4)], [None; 3]);
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let good =
        blob(&[1, info(kind::INT, 0, false), 4, 32, 5, info(kind::STRUCT, 1, false), 8, 10, 1, 0], STRINGS);
    for end in 0..good.len() {
        let cut = good.get(..end).unwrap_or_default().to_vec();
        assert!(Btf::from_bytes(cut, Path::new("cut")).is_err(), "{end}");
    }
    for at in 0..good.len() {
        for value in [0, 0xff, 0x80, 7] {
            let mut bad = good.clone();
            if let Some(byte) = bad.get_mut(at) {
                *byte = value;
            }
            let Ok(btf) = Btf::from_bytes(bad, Path::new("bad")) else { continue };
            for id in 0..=u32::try_from(btf.count()).expect("small") {
                let id = TypeId(id);
                let _ = (btf.ty(id), btf.size_of(id), btf.member(id, "fsbase"), btf.parameters(id).count());
                let _ = (btf.loaded(id, 0, 4), btf.loaded(id, u32::MAX, u32::MAX));
            }
        }
    }
}

#[test]
fn the_running_kernel() {
    let btf = match Btf::vmlinux() {
        Ok(btf) => btf,
        // A kernel without type information is not this crate's failure.
        Err(Error::NotFound { .. } | Error::Permission { .. }) => return,
        Err(other) => panic!("{other}"),
    };
    let task = btf.find_struct("task_struct").expect("task_struct");
    let comm = btf.member(task, "comm").expect("comm");
    assert_eq!(btf.size_of(comm.ty), Some(16));
    assert!(btf.find_function("schedule").is_some());
}
