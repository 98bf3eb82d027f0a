//! A line diff for failing cases: what was expected against what came out.

/// Compares two texts line by line: common lines start with a space, missing ones with `-`, unexpected ones with `+`.
pub fn lines(expected: &[&str], actual: &[&str]) -> String {
    let common = common_suffixes(expected, actual);
    let at = |i: usize, j: usize| common.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    let mut out = String::new();
    let (mut i, mut j) = (0, 0);
    loop {
        let (sign, line) = match (expected.get(i), actual.get(j)) {
            (Some(e), Some(a)) if e == a => {
                (i, j) = (i + 1, j + 1);
                (' ', *e)
            }
            (Some(e), a) if a.is_none() || at(i + 1, j) >= at(i, j + 1) => {
                i += 1;
                ('-', *e)
            }
            (_, Some(a)) => {
                j += 1;
                ('+', *a)
            }
            (_, None) => return out,
        };
        out.push(sign);
        out.push_str(line);
        out.push('\n');
    }
}

/// `table[i][j]`: length of the longest common subsequence of `left[i..]` and `right[j..]`.
fn common_suffixes(left: &[&str], right: &[&str]) -> Vec<Vec<usize>> {
    let mut table: Vec<Vec<usize>> = vec![vec![0; right.len() + 1]];
    for l in left.iter().rev() {
        let below = table.last().cloned().unwrap_or_default();
        let mut row = vec![0; right.len() + 1];
        let cell = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(0);
        for (j, r) in right.iter().enumerate().rev() {
            let length =
                if l == r { cell(&below, j + 1) + 1 } else { cell(&below, j).max(cell(&row, j + 1)) };
            if let Some(place) = row.get_mut(j) {
                *place = length;
            }
        }
        table.push(row);
    }
    table.reverse();
    table
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn the_changed_line_is_marked_and_the_others_kept() {
        assert_eq!(lines(&["a", "b", "c"], &["a", "x", "c"]), " a\n-b\n+x\n c\n");
        assert_eq!(lines(&["a", "b"], &["a"]), " a\n-b\n");
        assert_eq!(lines(&[], &["z"]), "+z\n");
        assert_eq!(lines(&["a", "b", "c"], &["b", "c", "d"]), "-a\n b\n c\n+d\n");
    }
}
