//! What the checker makes of declared maps.

use super::tests::outcomes;

#[test]
fn declared_maps() {
    assert_text!(outcomes(&[
        "let @a = hash(10); let @b = lruhash(0x20); let @c = percpuhash(3);\nlet @d = percpulruhash(1);\n\
         begin { @a[1] = 2; @b[1] = \"x\"; @c[1] = count(); @d[pid, comm] = hist(1); @e[1] = 1; }",
        "let @open = hash(100);\nu:./web:main.handler { @open[callid] = nsecs; }",
        "let @a = hash(10);\nbegin { @a[1] = count(); }",
        "let @a = percpulruhash(10);\nbegin { @a[1] = 5; }",
        "let @a = hash(10);\nbegin { @a = 5; }",
        "let @a = hash(10);\nbegin { @b = 5; }",
        "let @a = array(10); let @b = hsh(1);\nbegin { @a[1] = 1; @b[1] = 1; }",
        "let @a = hash(0); let @b = hash(0xffffffffff);\nbegin { @a[1] = 1; @b[1] = 1; }",
        "let @a = hash(1); let @a = lruhash(1);\nbegin { @a[1] = 1; }",
    ]));
}
