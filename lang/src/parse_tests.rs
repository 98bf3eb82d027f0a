//! Tests of the parser: trees, and messages for syntax errors.

use crate::parse;

fn tree(source: &str) -> String {
    let (script, problems) = parse("t.gt", source);
    format!("--- {source}\n{script}{}", problems.render("t.gt", source, false))
}

fn trees(sources: &[&str]) -> String {
    sources.iter().map(|s| tree(s)).collect::<Vec<_>>().join("\n")
}

/// An expression with all its parentheses.
fn grouped(e: &crate::ast::Expr) -> String {
    use crate::ast::ExprKind as K;
    let g = grouped;
    match &e.kind {
        K::Int(v) => v.to_string(),
        K::Ident(n) | K::Var(n) => n.clone(),
        K::Map { name, .. } => name.text.clone(),
        K::Unary(op, e) => format!("({}{})", op.symbol(), g(e)),
        K::Binary(op, a, b) => format!("({} {} {})", g(a), op.symbol(), g(b)),
        K::Ternary(c, a, b) => {
            format!("({} ? {} : {})", g(c), a.as_ref().map(|a| g(a)).unwrap_or_default(), g(b))
        }
        K::Cast(ty, e) => format!("(({ty}){})", g(e)),
        K::Member(e, n) => format!("({}.{})", g(e), n.text),
        K::TupleMember(e, n) => format!("({}.{n})", g(e)),
        K::Index(e, i) => format!("({}[{}])", g(e), i.iter().map(g).collect::<Vec<_>>().join(", ")),
        K::Increment { target, down, prefix } => {
            let op = if *down { "--" } else { "++" };
            if *prefix { format!("({op}{})", g(target)) } else { format!("({}{op})", g(target)) }
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn precedence() {
    for (source, expected) in [
        ("a || b && c", "(a || (b && c))"),
        ("a && b | c", "(a && (b | c))"),
        ("a | b ^ c & d", "(a | (b ^ (c & d)))"),
        ("a & b == c", "(a & (b == c))"),
        ("a == b < c", "(a == (b < c))"),
        ("a < b << c", "(a < (b << c))"),
        ("a << b + c", "(a << (b + c))"),
        ("a + b * c - d % e", "((a + (b * c)) - (d % e))"),
        ("a - b - c", "((a - b) - c)"),
        ("a / b / c", "((a / b) / c)"),
        ("-a * !b", "((-a) * (!b))"),
        ("*a.b", "(*(a.b))"),
        ("*a[1]->c++", "(*(((a[1]).c)++))"),
        ("(uint8)a + b", "(((uint8)a) + b)"),
        ("(uint8)a.b", "((uint8)(a.b))"),
        ("(uint8 *)a + b", "(((uint8 *)a) + b)"),
        ("((struct T *)a)->b", "(((struct T *)a).b)"),
        ("(struct T **)-a", "((struct T * *)(-a))"),
        ("~-++a", "(~(-(++a)))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a ? b ? c : d : e", "(a ? (b ? c : d) : e)"),
        ("a ?: b || c", "(a ?  : (b || c))"),
        ("a || b ? c : d", "((a || b) ? c : d)"),
        ("a.0.1", "((a.0).1)"),
        ("a >= b != c <= d", "((a >= b) != (c <= d))"),
        ("a->int.struct_", "((a.int).struct_)"),
    ] {
        let text = format!("begin {{ {source}; }}");
        let (script, problems) = parse("t.gt", &text);
        assert!(problems.is_empty(), "{source}: {problems}");
        let crate::ast::StmtKind::Expr(e) = &script.probes[0].body.stmts[0].kind else { panic!("{source}") };
        assert_eq!(grouped(e), expected, "{source}");
    }
}

#[test]
fn scripts() {
    assert_text!(trees(&[
        "#!/usr/bin/env gotrace\n// c\nstruct T { int32 a, *b, c[4]; unsigned long d; const char *e; struct { u8 x; } in; };\nenum E { A, B = 4, }\nconfig = { max_strlen = 64; missing_probes = warn; s = \"x\" }\nbegin, end, /pid == 1/ { }",
        "begin { let $a; let $b : uint64 = 1; $c = @m[1, comm]; @m++; --$a; @x[$a] += 2; $c <<= 1; _ = $b; return; return 1 }",
        "begin { if a { } else if (b) { } else { } unroll (3) { f(); } { g() } ;; x ? f(1,) : g(); }",
        "begin { print((1, (2,), ())); print($1 + $#); sizeof(uint8[4]); sizeof($x); (string)a; (enum E)1; str(\"\\x41\"); }",
    ]));
}

#[test]
fn constants_and_branches() {
    let types = "#ifndef BPFTRACE_HAVE_BTF\n#include <linux/sched.h>\n#ifdef X\n#else\n#endif\nstruct T { int a; };\n#else\n";
    assert_text!(trees(&[
        &format!(
            "{types}#define AF_INET 2 // IPv4\n#define BOTH (AF_INET | 8)\n#endif\nbegin /AF_INET == 2/ {{ print(BOTH + x.y); }}"
        ),
        "#define A\n#ifdef A\nbegin { f(A); }\n#else\n}}}\n#endif\nend { }",
        "#define A 1 +\nbegin { print(A); }\nend { print(A 2); }",
        "#define F(x) x\n#define G { }\n#define\n#undef A\n#ifdef\n#endif\nbegin { }",
        "#else\n#endif\n#ifdef A\nbegin { }",
        "#include <linux/fs.h>\nbegin { print(A); }",
    ]));
}

#[test]
fn what_a_name_stands_for_has_a_limit() {
    let mut source = String::from("#define A0 1 + 1\n");
    for n in 1..40 {
        source += &format!("#define A{n} A{} + A{}\n", n - 1, n - 1);
    }
    let (_, problems) = parse("t.gt", &source);
    assert!(problems.render("t.gt", &source, false).contains("stands for too much text"));
}

#[test]
fn syntax_errors() {
    assert_text!(trees(&[
        "begin { for (i = 0; i < 10; i++) { } }",
        "begin { for ($i = 0; $i < 10; $i++) { } }",
        "begin { for $i in 0..10 { } }",
        "begin { if (pid == 1 and tid == 2) { } }",
        "begin { if (pid === 1) { } }",
        "begin { int x = 1; }",
        "begin { print(1), print(2); }",
        "begin { $x = 1 $y = 2; print($y) print($x); }",
        "begin { $x = ; $y = 1 +; f(1,; @m[ = 1; }",
        "begin { if (pid == 1 { print(1); } }",
        "begin { print(1)",
        "begin { if (1) { print(1); }",
        "begin { } }",
        "begin",
        "begin\nend { }",
        "begin /pid == 1 { print(1); }",
        "begin /pid == 1",
        "begin { printf(\"a); }",
        "begin { $x == 1 ? ; }\nend { 1 = = 2; }\nbegin { } extra",
        "begin { (foo *)$x; ((bar)$x); (1.5); }",
        "begin { $0; $99999999999; 12abc; 0x; 99999999999999999999; \"\\q\"; }",
        "begin { let x = 1; let = 2; unroll 3 { }; }",
        "begin { while (1) { f(); } for ($i : 0..3) { } for ($k : @m) { } break; continue; }",
        "struct T { int x }; begin { }",
        "struct { int x; }; begin { }",
        "struct T { int; foo x; int y; }; begin { }",
        "config = { a b; c = ; } begin { }",
        "#include <linux/sched.h>\n#define X 1\nbegin { }",
        "let @m = hash(5); macro f($x) { $x } import \"x.bt\"; fn f() { } begin { }",
        "begin { print(1); }}\nend { }",
        "begin { a.; b->; c[]; d(; }",
        "begin { $x = $y = 1; $x = 'a'; }",
        "begin { if (1) print(1); else print(2); }",
        "begin { print(1); } /pid/ { }",
    ]));
}

/// A small generator of numbers; the seed is fixed, so a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}

/// Parses and, where that works, checks; nothing of it may panic. Gives whether the script was checked.
fn survives(source: &str) -> bool {
    let (script, problems) = parse("t.gt", source);
    let _ = problems.render("t.gt", source, true);
    let _ = crate::lexer::dump(source);
    if problems.has_errors() {
        return false;
    }
    let _ = script.to_string();
    let (config, _) = crate::config::from_script(&script, &[]);
    match crate::check(&script, &crate::check::tests::TestEnv::new(), &config) {
        Ok((program, warnings)) => {
            let _ = (program.to_string(), warnings.render("t.gt", source, false));
            true
        }
        Err(problems) => !problems.render("t.gt", source, false).is_empty(),
    }
}

const SEEDS: &[&str] = &[
    "uprobe:./web:main.* /pid == 1 && comm != \"x\"/ { @start[callid] = nsecs; printf(\"%s %d\\n\", func, arg0); }",
    "uretprobe:./web:main.handler /@start[callid]/ { @us[func] = hist((nsecs - @start[callid]) / 1000); delete(@start, callid); }",
    "struct T { struct T *next; char name[8]; union { int a; u64 b; }; }; u:./web:main.handler { $p = (struct T *)arg0; print($p->next->name); }",
    "begin { let $x : uint8 = 5; unroll (3) { $x++; } if ($x > 2) { print(($x, \"a\").1); } else { exit(1); } @ = avg(-1); }",
    "config = { max_strlen = 64 } interval:s:1 { print(@, 5, 10); clear(@); @[ustack(5), comm] = count(); time(\"%H\"); }",
    "t:sched:* { @[args.filename, $1 ?: $#] = lhist(pid, 0, 100, 10); join((uint64)5, \",\"); _ = ~(1 << 3) | 0xff ^ 2; }",
    "enum E { A, B = 4 }; p:hz:99 { @x[A] = sum(B); @y = @x[1] > 3 ? 1 : 0; print(strftime(\"%S\", nsecs)); } end { print(@y); }",
];

#[test]
fn nothing_panics_on_mutated_scripts() {
    let seed = 0x5eed_0001;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    let pieces = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "/",
        "\"",
        ",",
        ";",
        "@",
        "$",
        "$x",
        "@x",
        "*",
        "-",
        "0",
        "-1",
        "9223372036854775808",
        " ",
        "\n",
        "//",
        "/*",
        "if",
        "let",
        "struct T",
        "(uint8)",
        "é",
        "args",
        ".",
        "->",
        "?",
        ":",
        "%",
        "<<",
        "==",
        "count()",
        "\\",
    ];
    let mut checked = 0;
    for round in 0..4000 {
        let mut text: Vec<char> = SEEDS[round % SEEDS.len()].chars().collect();
        for _ in 0..=random.below(4) {
            let at = random.below(text.len());
            match random.below(4) {
                0 => {
                    text.remove(at);
                }
                1 => {
                    let piece = pieces[random.below(pieces.len())];
                    text.splice(at..at, piece.chars());
                }
                2 => {
                    let len = random.below(12).min(text.len() - at);
                    text.drain(at..at + len);
                }
                _ => {
                    let from = random.below(text.len());
                    let len = random.below(20).min(text.len() - from);
                    let copy = text[from..from + len].to_vec();
                    text.splice(at..at, copy);
                }
            }
            if text.is_empty() {
                text.push('x');
            }
        }
        checked += usize::from(survives(&text.into_iter().collect::<String>()));
    }
    // Mutations that never get past the parser would test little.
    assert!(checked > 400, "only {checked} scripts reached the checker");
}

#[test]
fn nothing_panics_on_random_text() {
    let seed = 0x5eed_0002;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    for _ in 0..2000 {
        let len = random.below(120);
        let bytes: Vec<u8> = (0..len)
            .map(|_| if random.below(4) == 0 { random.below(256) as u8 } else { 32 + random.below(95) as u8 })
            .collect();
        survives(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn deep_nesting_is_refused_not_fatal() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("-", "1", ""),
        ("!", "1", ""),
        ("1 + ", "1", ""),
        ("", "1", " + 1"),
        ("", "$x", "[0]"),
        ("", "$x", ".x"),
        ("a ? b : ", "1", ""),
        ("(uint8)", "1", ""),
        ("f(", "", ")"),
        ("if (1) { ", "", "}"),
        ("", "if (1) { }", " else if (1) { }"),
        ("{", "", "}"),
        ("@x[", "1", "]"),
        ("*", "arg0", ""),
        ("1 || ", "1", ""),
        ("(1, ", "1", ")"),
        ("unroll (2) { ", "@x = 1;", " }"),
    ] {
        for n in [20, 100, 1000] {
            let text = format!("u:./web:main.handler {{ {}{middle}{} }}", open.repeat(n), close.repeat(n));
            survives(&text);
        }
    }
    survives(&format!("struct T {{ int {} x; }}; begin {{ }}", "*".repeat(500)));
    survives(&format!("begin {{ print(sizeof(uint8 {})); }}", "*".repeat(500)));
    survives(&format!("{} begin {{ }}", "struct T { struct {".repeat(300)));
    survives(&format!("enum E {{ A = {}1 }}; begin {{ }}", "-".repeat(5000)));
}
