//! Tests of control flow: loops, blocks with a value, what is decided while the script is compiled.

use super::tests::{bodies, outcomes};

#[test]
fn loops() {
    assert_text!(bodies(&[
        "for ($i : 0..5) { print($i); }",
        "for $i : arg0..arg1 { if ($i == 3) { continue; } break; }",
        "for ($i : pid..10) { $i++; }",
        "let $s = 0; for ($i : -1..(int64)arg0) { $s += $i; } print($s);",
        "while (1) { print(1); break }",
        "$n = 5; while $n > 0 { $n--; }",
        "while 0 { print(1); }",
        "for ($i : 0..3) { for ($j : 0..$i) { @x[$i, $j] = 1; return; } }",
        "@m[1, comm] = (uint8)1; for ($kv : @m) { print($kv.0.1); print($kv.1); }",
        "@m[1] = count(); for ($kv : @m) { if ($kv.1 > 5) { break; } }",
        "for ($i : 3..1) { }",
        "break;",
        "if (1) { continue; }",
        "for ($i : 0..\"a\") { }",
        "for ($i : 5) { }",
        "for ($i : @m[1]) { } @m[1] = 1;",
        "for ($i : @m) { } @m = 1;",
        "for ($i : @m) { }",
        "for ($i : @m) { } @m[1] = hist(1);",
        "$i = 1; for ($i : 0..$i) { }",
        "for ($i : 0..2) { } print($i);",
        "while comm { }",
    ]));
}

#[test]
fn blocks_with_a_value() {
    assert_text!(bodies(&[
        "$x = { let $y = pid; $y + 1 }; print($x);",
        "print({ 5 });",
        "$x = if pid == 1 { 1 } else if pid == 2 { @y++; 2 } else { 3 }; print($x);",
        "$x = pid ? { @y++; \"a\" } : \"b\"; print($x);",
        "$x = { if pid { 1 } else { 2 } }; print($x);",
        "$x = { 1; };",
        "$x = { };",
        "$x = { @y = 1 };",
        "$x = if pid { 1 } else { \"a\" };",
        "$x = { let $y = 1; $y }; print($y);",
    ]));
}

#[test]
fn comptime() {
    assert_text!(bodies(&[
        "if comptime ($1 == 42) { print(1); } else { print(nonsense); }",
        "if comptime (sizeof(uint8) == 2) { print(nonsense); } else if pid { print(2); } else { print(3); }",
        "$x = comptime (5 * 8); print($x);",
        "$x = if comptime ($2 == \"hello\") { 1 } else { nonsense }; print($x);",
        "$x = comptime pid;",
    ]));
}

#[test]
fn macros() {
    assert_text!(outcomes(&[
        "macro add($x, n) { $x += n; $x } begin { $a = 1; $b = add($a, 5); print($b); add($a, 1); }",
        "macro twice(e) { let $t = e; $t + $t } begin { $t = 3; print(twice(twice($t))); }",
        "macro bump(@m, k) { @m[k]++; } macro bump(@m) { @m++; } begin { bump(@a, pid); bump(@b); }",
        "macro five() { 5 } begin { print(five); print(five()); if five == 5 { print(1); } }",
        "macro f($x) { $x } begin { f(1); f(); }",
        "macro f() { g() } macro g() { f() } begin { f(); }",
        "macro f() { @m = 1; } begin { f(); }",
        "macro f() { $y } begin { $y = 1; print(f()); }",
        "macro f(e) { print(nonsense(e)); } macro g(e) { f(e); } begin { g(1); }",
        "macro f() { let $unused = 1; } begin { f(); }",
        "macro f() { 1 } macro f() { 2 } macro printf() { 1 } begin { }",
        "macro f() { 1; } begin { $x = f(); }",
    ]));
}

#[test]
fn assertions_and_options() {
    assert_text!(outcomes(&[
        "begin { assert(pid > 1, \"a process\"); static_assert(sizeof(uint8) == 1, \"a byte\"); print(2); }",
        "begin { static_assert(1 == 2, \"numbers differ\"); }",
        "begin { static_assert(pid == 2); }",
        "begin { if comptime (1 == 2) { fail(\"no\"); } fail(\"%s is %d, %x\", \"this\", 5, 255); }",
        "begin { print(getopt(\"v\")); print(getopt(\"n\", 5)); print(getopt(\"s\", \"text\", \"help\")); }",
        "begin { print(getopt(\"n\", pid)); print(getopt(comm)); }",
    ]));
}
