//! Sizes and offsets of C declarations, as clang gives them on x86-64 and arm64: of a bit-field the byte in which it starts.

use super::tests::TestEnv;
use super::types::Types;
use crate::diag::Problems;
use crate::types::{Struct, StructKind};
use std::fmt::Write as _;
use std::sync::Arc;

/// Declarations of `A`; its size, and its members with their offsets.
const LAYOUTS: &[(&str, &str)] = &[
    ("struct A { char c; int i; char d; };", "12 c@0 i@4 d@8"),
    ("struct A { char c; short s; long l; char d; };", "24 c@0 s@2 l@8 d@16"),
    ("struct A { char c; int i; } __attribute__((packed));", "5 c@0 i@1"),
    ("struct __attribute__((packed)) A { char c; long i; short s; };", "11 c@0 i@1 s@9"),
    ("struct A { int i; } __attribute__((aligned(16)));", "16 i@0"),
    ("struct A { char c; int i __attribute__((aligned(16))); };", "32 c@0 i@16"),
    ("struct A { char c; int i __attribute__((packed)); char d; };", "6 c@0 i@1 d@5"),
    ("struct __attribute__((packed, aligned(4))) A { char c; long l; };", "12 c@0 l@1"),
    ("struct A { unsigned a : 3; int b : 5; char c; };", "4 a@0 b@0 c@1"),
    ("struct A { int a : 20; int b : 20; char c; };", "8 a@0 b@4 c@7"),
    ("struct A { char a : 3; int b : 30; short c : 9; };", "12 a@0 b@4 c@8"),
    ("struct A { long a : 40; bool b : 1; int c : 7; };", "8 a@0 b@5 c@5"),
    ("struct A { int a : 3; int : 0; int b : 4; };", "8 a@0 b@4"),
    ("struct A { int a : 3; int : 7; int b : 4; char x; };", "4 a@0 b@1 x@2"),
    ("struct A { char x; long : 40; char y; };", "7 x@0 y@6"),
    ("struct A { int a : 7; int b : 28; char c; } __attribute__((packed));", "6 a@0 b@0 c@5"),
    ("union A { int a; char b[7]; long c; };", "8 a@0 b@0 c@0"),
    ("union A { int a : 3; char b[5]; };", "8 a@0 b@0"),
    ("struct A { union { int u; struct { char c; long l; }; } n; char e; };", "24 n@0 e@16"),
    ("struct A { union { int u; char w; }; struct { short a; short b; }; long z; };", "16 z@8"),
    ("struct A { int m[2][3]; char n[3][5]; long o; };", "48 m@0 n@24 o@40"),
    ("struct A { char c; int data[]; };", "4 c@0 data@4"),
    ("struct A { char c; long data[0]; };", "8 c@0 data@8"),
    ("struct A { int (*f)(int, char *, ...); void (*g)(void); int x; };", "24 f@0 g@8 x@16"),
    ("struct A { int *(*h[3])(int (*cb)(void *), const char *name); char c; };", "32 h@0 c@24"),
    ("struct A { int (*p)[4]; int *q[4]; char c; };", "48 p@0 q@8 c@40"),
    (
        "struct A { const char * const p; volatile unsigned long long int q; int const r; unsigned const char s; _Bool b; };",
        "24 p@0 q@8 r@16 s@20 b@21",
    ),
    (
        "struct A { long unsigned int a; short unsigned b; signed char c; long long d; };",
        "24 a@0 b@8 c@10 d@16",
    ),
    ("struct A { float f; double d; float g; };", "24 f@0 d@8 g@16"),
    ("struct A { char c; long double e; };", "32 c@0 e@16"),
    ("struct A { char c; __int128 e; char d; };", "48 c@0 e@16 d@32"),
    ("struct A { char c; unsigned __int128 e[2]; };", "48 c@0 e@16"),
    ("struct A { char a[2*3]; char b[sizeof(long)*2]; int d[(1 << 2) | 1]; };", "44 a@0 b@6 d@24"),
    ("enum e { E1, E2 = 1 << 3, E3, }; struct A { enum e x; char y[E3]; };", "16 x@0 y@4"),
    ("enum big { B1 = 0x100000000 }; struct A { char c; enum big x; };", "16 c@0 x@8"),
    ("enum neg { N1 = -1, N2 }; struct A { char c; enum neg x : 3; enum neg y; };", "8 c@0 x@1 y@4"),
    ("struct A { struct { int a; } x, *y, z[3]; };", "32 x@0 y@8 z@16"),
    ("struct A { enum { P, Q = 7 } y; enum { R } : 2; enum { S } z : 2; };", "8 y@0 z@4"),
    (
        "struct B { char c; long l; }; struct A { char c; struct B b; struct B *p; struct B q[2]; };",
        "64 c@0 b@8 p@24 q@32",
    ),
    (
        "struct B { char c; int l; } __attribute__((packed)); struct A { char c; struct B b; short s; };",
        "8 c@0 b@1 s@6",
    ),
    (
        "struct B { char c; } __attribute__((aligned(8))); struct A { char c; struct B b; char d; };",
        "24 c@0 b@8 d@16",
    ),
    ("struct A { uint8_t a; uint16_t b; uint32_t c; uint64_t d; size_t e; };", "24 a@0 b@2 c@4 d@8 e@16"),
    ("struct A { char buffer[5]; char *string; bool bool_; };", "24 buffer@0 string@8 bool_@16"),
    ("struct A { struct A *next, **prev; char name[16]; };", "32 next@0 prev@8 name@16"),
    ("struct A { int a, *b, c[3], d : 4; char e; };", "32 a@0 b@8 c@16 d@28 e@29"),
    (
        "struct A { char c; union { long l; char d; } __attribute__((packed)) u; short s; };",
        "12 c@0 u@1 s@10",
    ),
    ("struct A { char c; short b __attribute__((aligned(8))), d; };", "16 c@0 b@8 d@10"),
    ("struct A { bool a : 1; bool b : 1; unsigned char c : 6; short d : 3; };", "2 a@0 b@0 c@0 d@1"),
    ("struct A { unsigned long a : 1, b : 63; char c; };", "16 a@0 b@0 c@8"),
    ("struct A { int a : 31; unsigned long b : 33; int c : 1; };", "16 a@0 b@3 c@8"),
    ("struct A { short a : 9; char b : 7; char c : 2; };", "4 a@0 b@1 c@2"),
    ("struct A { char x[3]; int a : 5; } __attribute__((packed));", "4 x@0 a@3"),
    ("struct A { char x; int a : 5 __attribute__((aligned(4))); };", "8 x@0 a@4"),
    ("struct A { struct { struct { char q; } r; int s[2]; } t[2]; char e; };", "28 t@0 e@24"),
];

#[test]
fn declarations_are_laid_out_as_in_c() {
    let env = TestEnv::new();
    for (source, expected) in LAYOUTS {
        let (script, problems) = crate::parse("t.gt", source);
        assert!(!problems.has_errors(), "{}", problems.render("t.gt", source, false));
        let mut problems = Problems::new();
        let types = Types::new(&script.types, &env, &mut problems);
        assert!(!problems.has_errors(), "{}", problems.render("t.gt", source, false));
        let layout = types.complete(&Arc::new(Struct::named(StructKind::Struct, "A")));
        let layout = layout.unwrap_or_else(|| panic!("{source}: A is not declared"));
        let mut found = layout.size.to_string();
        for field in &layout.fields {
            if expected.contains(&format!(" {}@", field.name)) {
                let shift = field.form.bits().map_or(0, |bits| u32::from(bits.shift) / 8);
                write!(found, " {}@{}", field.name, field.offset + shift).unwrap_or_default();
            }
        }
        assert_eq!(&found, expected, "{source}");
    }
}
