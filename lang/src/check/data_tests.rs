//! What the checker makes of types and operators: for every rule a script that keeps it and one that breaks it.

use super::tests::{outcomes, outcomes_in_handler, outcomes_with};

#[test]
fn bit_fields() {
    let decls = "enum E { A, B = 5 };
struct T { int x : 3; unsigned y : 5; bool on : 1; enum E e : 4; unsigned : 0; uint64 wide : 40; };
union U { uint32 word; struct T t; };
struct P { uint8 a; uint16 f : 3, g : 13; } __attribute__((packed));
";
    assert_text!(outcomes(&[
        &format!(
            "{decls}u:./web:main.handler {{ $t = (struct T *)arg0; print(($t->x, $t->y, $t->on, $t->e, $t.wide)); }}"
        ),
        &format!("{decls}begin {{ print((sizeof(struct T), sizeof(union U), sizeof(struct P))); }}"),
        &format!(
            "{decls}u:./web:main.handler {{ $p = *(struct P *)arg0; print(($p.g, ((union U *)arg1)->t.y)); }}"
        ),
        "struct T { int x : 33; }; begin { }",
        "struct T { int x : 0; }; begin { }",
        "struct T { int *x : 3; }; begin { }",
        "struct T { bool x : 2; }; begin { }",
        "struct T { uint8 a : 1; uint64 b : 64; } __attribute__((packed)); begin { }",
        "union U { int x; }; u:./web:main.handler { print(((union U *)arg0)->y); print(((union V *)arg0)->y); }",
    ]));
}

#[test]
fn enumerations() {
    let decl = "enum kind { A = 1, B = 5, C }; enum other { X = -1, Y };\n";
    assert_text!(outcomes_with(
        decl,
        &[
            "begin { print(A); printf(\"%s %d\", (enum kind)5, C); @[B] = (enum kind)nsecs; }",
            "begin { print(A + 1); print(A == 1); print(B > A); if (A) { print(-X); } }",
            "begin { $e = A; $e = B; $f = A; $f = X; $g = A; $g = 3; print(($e, $f, $g)); }",
            "begin { print((uint64)A); print((enum other)A); print((bool)X); @ = sum(B); }",
            "begin { print((enum kind)99); print((enum other)1); }",
            "begin { print((enum knd)1); print(D); }",
            "begin { $e = A; $e.x = 1; print(A.x); }",
            "begin { $s = (enum kind)comm; print(A + comm); print(A == comm); }",
        ]
    ));
}

#[test]
fn kept_structures_and_arrays() {
    let decl = "struct In { uint8 a; char name[6]; }; struct T { struct In in; int xs[2][4]; bool on; };\n";
    assert_text!(outcomes_in_handler(
        decl,
        &[
            "$t = *(struct T *)arg0; print($t.in.a); print($t.in.name); print($t.xs[1][2]); print($t.on);",
            "@t = *(struct T *)arg0; print(@t.xs[arg1][1]); print(@t.in); print(@t.in.name[0]);",
            "@[((struct T *)arg0)->in] = ((struct T *)arg0)->xs; print(comm[0]); print(comm[arg1]);",
            "$t = *(struct T *)arg0; print($t.im); print($t.xs[2]); print($t.in.name.x); print($t[0]);",
            "print(comm[16]); print(comm[\"a\"]);",
        ]
    ));
}

#[test]
fn records() {
    assert_text!(outcomes(&[
        "begin { $r = (x=1, y=\"a\"); $r = (y=\"longer text\", x=-1); print(($r.x, $r.y)); print($r == (x=1, y=\"\")); }",
        "begin { @[(x=pid, y=comm)] = (a=(b=1, c=(2, 3)), d=comm); print(@[(x=pid, y=comm)].a.c.1); }",
        "begin { $r = (x=1,); print($r.y); print($r[0]); print($r.0); }",
        "begin { $r = (first=1, second=2); print($r.secnd); }",
        "begin { $r = (x=1, y=2); $r = (x=1, z=2); }",
        "begin { $r = (x=1, y=2, x=3); }",
        "begin { @ = (x=1); @ = (1,); print((x=1) < (x=2)); print((x=1) == (y=1)); }",
        "begin { if ($x = 5) { } }",
        "begin { print((1 + 2 = 3)); }",
    ]));
}

#[test]
fn tuples_and_arrays() {
    assert_text!(outcomes(&[
        "begin { $t = (1, \"a\", (2, 3)); print($t[2][0]); print($t.2.1); $t = (pid, comm, (1, nsecs)); print($t.0); }",
        "begin { $t = ((1, 2), 3); print($t[0][1] + $t.1); print(($t.1,) == (3,)); }",
        "begin { $t = (1, 2); print($t[pid]); print($t[2]); print($t.x); print($t[0, 1]); }",
        "begin { print(()); @ = (); print((1, 2) < (2, 3)); print((1, 2) == (1, 2, 3)); }",
        "begin { $a = (int8[4])(int32)1; $b = $a; print($a == $b); print($a != (int8[4])7); print($a[pid]); }",
        "begin { $a = (int8[4])(int32)1; $b = (int16[2])(int32)1; print($a == $b); print($a < $a); print($a[4]); }",
        "begin { let $t : uint16[2]; $t = (uint16[2])pid; print($t); let $u : string[5]; $u = \"abcdefg\"; print($u); }",
        "begin { let $u : string[5]; $u = \"abcdefgh\"; }",
    ]));
}

#[test]
fn casts() {
    let decl = "struct T { int x; char name[6]; }; enum E { A, B };\n";
    assert_text!(outcomes_in_handler(
        decl,
        &[
            "print((int8[8])arg0); print((uint32)(int8[4])(int32)arg0); print((int8[])\"abc\"); print((uint8[4])comm);",
            "$x = (int16)arg0; print((typeof($x))arg1); let $y : typeof(comm) = comm; print($y); let $z : typeof($x)* = (int16 *)0; print($z);",
            "print((string[32])comm); print((string)(int8[4])(int32)arg0); print((uint64)(int8 *)arg0); print((bool)B);",
            "print((int8[4])arg0); print((int8[3])5); print((int8[4])0x123456789); print((int8[10])\"abc\"); print((int16[2])comm);",
            "print((int32)comm); print((string)arg0); print((struct T)arg0); print((string[8])comm); print((int8)(1, 2));",
            "print((typeof(nope))1); print((typeof($q) *)1);",
            "print((uint64)(int8[4])(int32)arg0); print((enum E)comm); print((int8[2])(x=1));",
            "$k = kptr((int8 *)arg0); $k = (int8 *)((uint64)$k - 8); print(*$k); $u = (int8 *)arg1; $u = $k;",
        ]
    ));
}

#[test]
fn numbers_that_are_too_large() {
    assert_text!(outcomes(&[
        "begin { print(9223372036854775807 + 1); print(1 << 63); print(18446744073709551615); print(5 - 7); }",
        "begin { print(18446744073709551615 + 1); }",
        "begin { print(9223372036854775807 * 4); print(1 << 64); print(-9223372036854775808 - 1); print(-9223372036854775809); }",
        "begin { let $a : int8 = 300; let $b : uint8 = -1; let $c : int8 = -128; let $d : uint64 = 18446744073709551615; print(($a, $b, $c, $d)); }",
        "begin { let $a : int8 = pid; print($a); }",
    ]));
}

#[test]
fn addresses() {
    let decl = "struct T { int x; struct In { int y; unsigned bits : 3; } in; int xs[4]; };\n";
    assert_text!(outcomes_in_handler(
        decl,
        &[
            "$x = 1; $p = &$x; $x = 2; print(*$p); @m = 5; @k[1] = \"a\"; print(*&@m); print(str(&@k[1])); if (&@k[2]) { print(1); }",
            "$t = (struct T *)arg0; print(&$t->in.y); print(&$t->xs[1]); print(&*$t == $t); print(*&$t->x);",
            "print(&1); print(&arg0); print(&comm[0]); print(&((struct T *)arg0)->in.bits); @c = count(); print(&@c); print(&@none); print(&$none);",
            "print(offsetof(struct T, in.y)); $t = (struct T *)arg0; print(offsetof(*$t, xs)); print(container_of(&$t->in, struct T, in)); print(container_of(&$t->in.y, typeof(*$t), in.y));",
            "print(offsetof(struct T, inn)); print(offsetof(struct T, x.y)); print(offsetof(struct T, in.bits)); print(offsetof(struct N, x)); print(offsetof(uint8, x));",
            "print(container_of(arg0, struct T, x)); print(container_of((int *)arg0, struct T, z));",
            "print(*kptr((uint64 *)arg0)); print(str(kptr(arg0))); print(str(uptr(arg1))); print(kptr(comm)); print(uptr((1, 2)));",
        ]
    ));
}

#[test]
fn questions_about_types() {
    assert_text!(outcomes(&[
        "begin { $p = (uint8 *)0; $a = (int8[4])(int32)1; print((is_str(comm), is_str(1), is_ptr($p), is_ptr(1), is_array($a), is_array(comm))); }",
        "begin { print((is_integer(1), is_integer(comm), is_unsigned_integer(pid), is_unsigned_integer(1), is_literal(2 + 3), is_literal(pid))); }",
        "begin { print(typeinfo((1, \"a\"))); print(typeinfo(comm).full_type); print(default_str_length()); assert_str(comm); }",
        "begin { print(is_err((void *)-2)); print(is_err((uint8 *)nsecs)); print(is_err(comm)); }",
        "begin { assert_str(1); is_str(); print(default_str_length(1)); $x = assert_str(comm); }",
    ]));
}

#[test]
fn names_of_types() {
    let decl = "typedef struct { int a; struct T *t; } pair_t, *pair_p; typedef unsigned long word; struct T; enum { ONE = 1, SIX = 6 };
typedef int (*callback)(void *, int); struct T { word w; callback f; pair_t pairs[SIX / 2]; char name[sizeof(word) * 2]; };\n";
    assert_text!(outcomes_in_handler(
        decl,
        &[
            "print(((struct T *)arg0)->pairs[1].a); print(((pair_t *)arg0)->t->w); print(((pair_p)arg0)->a); print((word)-1);",
            "print((sizeof(pair_t), sizeof(struct T), offsetof(pair_t, t), sizeof(word), sizeof(typeof(word)))); let $x : pair_p = (pair_p)arg0; print($x->a);",
            "print((pid_t)arg0); print(sizeof(pid_t)); let $p : pid_t = 1; print($p); print((SIX) - 1); print(ONE);",
            "print((pair)arg0); print((T *)arg0); print((task_struct *)arg0); print((nothing)arg0);",
            "print(((pair_t *)arg0)->b); print(container_of(arg0, pair_t, t)->a); print((enum E)1);",
        ]
    ));
    assert_text!(outcomes(&[
        "typedef int a; typedef int a; typedef long a; begin { }",
        "typedef void nothing; struct T { nothing x; }; begin { }",
        "typedef int f(int); struct T { f *g; f h; }; begin { }",
        "struct T { int x[pid]; int y : pid; int z __attribute__((aligned(3))); }; begin { }",
        "struct T { int x __attribute__((mode(DI))); }; begin { }",
        "struct { int x; }; begin { }",
        "struct F; struct T { struct F f; }; begin { }",
        "typedef int x : 3; begin { }",
        "typedef struct A { int x; } begin { }",
    ]));
}
