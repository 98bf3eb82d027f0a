//! What the checker makes of types and operators: for every rule a script that keeps it and one that breaks it.

use super::tests::outcomes;

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
    let scripts: Vec<String> = [
        "begin { print(A); printf(\"%s %d\", (enum kind)5, C); @[B] = (enum kind)nsecs; }",
        "begin { print(A + 1); print(A == 1); print(B > A); if (A) { print(-X); } }",
        "begin { $e = A; $e = B; $f = A; $f = X; $g = A; $g = 3; print(($e, $f, $g)); }",
        "begin { print((uint64)A); print((enum other)A); print((bool)X); @ = sum(B); }",
        "begin { print((enum kind)99); print((enum other)1); }",
        "begin { print((enum knd)1); print(D); }",
        "begin { $e = A; $e.x = 1; print(A.x); }",
        "begin { $s = (enum kind)comm; print(A + comm); print(A == comm); }",
    ]
    .iter()
    .map(|s| format!("{decl}{s}"))
    .collect();
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    assert_text!(outcomes(&scripts));
}

#[test]
fn kept_structures_and_arrays() {
    let decl = "struct In { uint8 a; char name[6]; }; struct T { struct In in; int xs[2][4]; bool on; };\n";
    let scripts: Vec<String> = [
        "$t = *(struct T *)arg0; print($t.in.a); print($t.in.name); print($t.xs[1][2]); print($t.on);",
        "@t = *(struct T *)arg0; print(@t.xs[arg1][1]); print(@t.in); print(@t.in.name[0]);",
        "@[((struct T *)arg0)->in] = ((struct T *)arg0)->xs; print(comm[0]); print(comm[arg1]);",
        "$t = *(struct T *)arg0; print($t.im); print($t.xs[2]); print($t.in.name.x); print($t[0]);",
        "print(comm[16]); print(comm[\"a\"]);",
    ]
    .iter()
    .map(|s| format!("{decl}u:./web:main.handler {{ {s} }}"))
    .collect();
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    assert_text!(outcomes(&scripts));
}
