//! What a program of the workshop did: the lines that its package `facts` wrote.

/// The facts of a run, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    lines: Vec<(String, Vec<String>)>,
}

impl Facts {
    /// Reads the file of facts: a line for each, with tabs between the kind and the words.
    #[must_use]
    pub fn parse(text: &str) -> Facts {
        let lines = text.lines().filter_map(|line| {
            let mut words = line.split('\t').map(str::to_owned);
            Some((words.next()?, words.collect()))
        });
        Facts { lines: lines.collect() }
    }

    /// Whether there are none: the program did not write any, or did not run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The words of each fact of a kind.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a [String]> {
        self.lines.iter().filter(move |(k, _)| k == kind).map(|(_, words)| words.as_slice())
    }

    /// The facts of a kind in groups that have the same words in the columns `by`: those words, and the group's facts.
    #[must_use]
    pub fn groups<'a>(&'a self, kind: &'a str, by: &[usize]) -> Vec<(Vec<String>, Vec<&'a [String]>)> {
        let mut groups: Vec<(Vec<String>, Vec<&'a [String]>)> = Vec::new();
        for words in self.of(kind) {
            let key: Vec<String> = by.iter().filter_map(|&column| words.get(column)).cloned().collect();
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, group)) => group.push(words),
                None => groups.push((key, vec![words])),
            }
        }
        groups
    }
}

/// The sum of a column; what is no number counts nothing.
pub(crate) fn sum(facts: &[&[String]], column: usize) -> i64 {
    facts.iter().filter_map(|words| words.get(column)?.parse::<i64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "brewed\t1\tassam\t8\nserved\t1\nbrewed\t2\toolong\t6\nbrewed\t3\tassam\t5\n";

    #[test]
    fn facts_are_found_by_kind() {
        let facts = Facts::parse(TEXT);
        assert_eq!(facts.of("brewed").count(), 3);
        assert_eq!(facts.of("served").next(), Some(["1".to_owned()].as_slice()));
        assert!(Facts::parse("").is_empty());
    }

    #[test]
    fn groups_have_counts_and_sums() {
        let facts = Facts::parse(TEXT);
        let groups = facts.groups("brewed", &[1]);
        let shown: Vec<_> = groups.iter().map(|(key, of)| (key.join(" "), of.len(), sum(of, 2))).collect();
        assert_eq!(shown, [("assam".into(), 2, 13), ("oolong".into(), 1, 6)]);
        assert_eq!(facts.groups("brewed", &[]).len(), 1);
    }
}
