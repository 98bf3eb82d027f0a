//! Tests of functions of the script: what is accepted, and every message.

use super::tests::outcomes;

#[test]
fn functions() {
    assert_text!(outcomes(&[
        "fn f($a : int64, $s : string) : string { print($a); return $s; } begin { print(f(1, comm)); }",
        "fn f() { @x++; } fn g($p : struct task_struct *) : int64 { f(); return (int64)$p; } begin { f(); print(g(curtask)); pid ? f() : print(1); }",
        "fn f($t : typeof((1, comm))) : typeof(pid) { return pid; } begin { _ = f((pid, \"a\")); }",
        "fn f($p : uint8 *) : uint8 { return *$p; } u:./web:main.handler { print(f((uint8 *)arg0)); }",
    ]));
}

#[test]
fn functions_that_are_refused() {
    assert_text!(outcomes(&[
        "fn f() : int64 { if (pid) { return 1; } } begin { print(f()); }",
        "fn f() : int64 { return; } fn g() { return 1; } begin { }",
        "fn f() { } fn f() { } fn pid() { } begin { }",
        "fn f($a : int64, $a : int8, $b : void) { } begin { f(1, 2, 3); }",
        "fn f($a : int8) { } begin { f(); f(1, 2); f(300); f(\"a\"); f(@never); $x = g(1); $y = f(1); }",
        "fn f() : int64 { return arg0; } fn g() { print(args.x); print(probetype); } begin { f(); }",
        "fn f() : int64 { return f(); } begin { print(f()); }",
        "fn a() { b(); } fn b() { c(); } fn c() { a(); } begin { a(); }",
        "fn f($p : uint8 *) { } u:./web:main.handler { f((uint8 *)arg0); f(kptr((uint8 *)arg0)); f(5); }",
        "fn f($a : nonsense) : struct none { } begin { f(1); }",
        "macro f($x) { $x } fn f($x : int64) { } begin { }",
        "fn f(a) { } begin { } fn () { }",
    ]));
}
