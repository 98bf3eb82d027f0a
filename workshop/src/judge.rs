//! Compares what a script showed with what the program did.

use crate::answers::{Answers, Entry};
use crate::facts::{Facts, sum};
use crate::{Expected, How, Need};

/// How many missing things are told; a class learns nothing from more.
const TOLD: usize = 3;

/// What came out of one [`Need`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What a solution shows.
    pub what: &'static str,
    /// What is wrong, a line each; empty when the script shows it.
    pub missing: Vec<String>,
    /// What to look at.
    pub hint: &'static str,
}

impl Finding {
    /// Whether the script shows it.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Compares a script's answers with the facts of the same run, for everything that a lab needs.
#[must_use]
pub fn judge(needs: &[Need], facts: &Facts, answers: &Answers) -> Vec<Finding> {
    let finding = |need: &Need| Finding {
        what: need.what,
        missing: missing(need.how, facts, answers),
        hint: need.hint,
    };
    needs.iter().map(finding).collect()
}

fn missing(how: How, facts: &Facts, answers: &Answers) -> Vec<String> {
    match how {
        How::Lines(kind) => {
            let (printed, happened) = (answers.lines.len(), facts.of(kind).count());
            if printed == happened {
                return Vec::new();
            }
            vec![format!(
                "{} printed, it happened {}",
                plural(printed, "line was", "lines were"),
                times(happened)
            )]
        }
        How::LineEach(kind) => lines(facts.of(kind), &answers.lines),
        How::Entry { fact, by, value } => {
            let mut groups = facts.groups(fact, by);
            groups.sort();
            shortened(groups.iter().filter_map(|(key, of)| entry(key, of, value, &answers.entries)).collect())
        }
    }
}

/// Each fact needs a line of its own.
fn lines<'a>(facts: impl Iterator<Item = &'a [String]>, printed: &[String]) -> Vec<String> {
    let facts: Vec<&[String]> = facts.collect();
    let fits: Vec<Vec<usize>> = facts
        .iter()
        .map(|words| {
            (0..printed.len()).filter(|&line| printed.get(line).is_some_and(|l| has_all(l, words))).collect()
        })
        .collect();
    let pairs = Pairs::new(&fits, printed.len());
    let unmet = facts.iter().enumerate().filter(|(fact, _)| !pairs.of_line.contains(&Some(*fact)));
    let mut missing: Vec<String> =
        unmet.map(|(_, words)| format!("no line with: {}", words.join("  "))).collect();
    let extra = printed
        .iter()
        .zip(&pairs.of_line)
        .filter(|(line, pair)| pair.is_none() && facts.iter().any(|words| has_all(line, words)));
    missing.extend(extra.map(|(line, _)| format!("printed more often than it happened: {}", line.trim())));
    shortened(missing)
}

/// As many pairs of a fact and a line that fits it as there can be: a number may also be in a line for another reason, so that the
/// first line that fits need not be the right one. Kuhn's algorithm.
struct Pairs<'a> {
    /// The lines that fit each fact.
    fits: &'a [Vec<usize>],
    /// The fact of each line.
    of_line: Vec<Option<usize>>,
}

impl<'a> Pairs<'a> {
    fn new(fits: &'a [Vec<usize>], lines: usize) -> Pairs<'a> {
        let mut pairs = Pairs { fits, of_line: vec![None; lines] };
        for fact in 0..fits.len() {
            pairs.place(fact, &mut vec![false; lines]);
        }
        pairs
    }

    /// Finds a line for a fact, for which others may have to move to another one. `tried` are lines that were asked for already.
    fn place(&mut self, fact: usize, tried: &mut [bool]) -> bool {
        let fits: &'a [Vec<usize>] = self.fits;
        fits.get(fact).into_iter().flatten().any(|&line| {
            if std::mem::replace(&mut tried[line], true) {
                return false;
            }
            let free = self.of_line[line].is_none_or(|other| self.place(other, tried));
            if free {
                self.of_line[line] = Some(fact);
            }
            free
        })
    }
}

/// What is missing of the entry for one group of facts.
fn entry(key: &[String], of: &[&[String]], value: Expected, entries: &[Entry]) -> Option<String> {
    let count = i64::try_from(of.len()).unwrap_or(i64::MAX);
    let fits = |entry: &Entry| match value {
        Expected::Count => entry.numbers.contains(&count),
        Expected::Samples => entry.histogram && entry.numbers.contains(&count),
        Expected::Sum(column) => entry.total() == Some(sum(of, column)),
        Expected::About(column) => {
            let sum = sum(of, column);
            entry.total().is_some_and(|total| (sum / 4 * 3..=sum / 2 * 3).contains(&total))
        }
    };
    let named: Vec<&Entry> = entries.iter().filter(|entry| has_all(&entry.key, key)).collect();
    if named.iter().any(|entry| fits(entry)) {
        return None;
    }
    let wanted = match value {
        Expected::Count => count.to_string(),
        Expected::Samples => format!("a histogram of {}", plural(of.len(), "value", "values")),
        Expected::Sum(column) => sum(of, column).to_string(),
        Expected::About(column) => format!("about {}", sum(of, column)),
    };
    let key = if key.is_empty() { "a map".to_owned() } else { key.join(", ") };
    Some(match named.last() {
        None => format!("no entry for: {key}"),
        Some(entry) => {
            let numbers: Vec<String> = entry.numbers.iter().map(i64::to_string).collect();
            format!("{key}: {} has {}, not {wanted}", entry.map, numbers.join(", "))
        }
    })
}

fn shortened(mut missing: Vec<String>) -> Vec<String> {
    let more = missing.len().saturating_sub(TOLD);
    missing.truncate(TOLD);
    if more > 0 {
        missing.push(format!("and {more} more"));
    }
    missing
}

/// Whether a text has each of the words, as words of their own.
fn has_all(text: &str, words: &[String]) -> bool {
    words.iter().all(|word| has(text, word))
}

/// Whether `word` is in the text and is not only a part of a longer word, name or number.
fn has(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().chars().next_back();
        let mut behind = text.get(at + word.len()..).unwrap_or_default().chars();
        let (next, over) = (behind.next(), behind.next());
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        // A dot ends a sentence or a host name, or goes on with a name or a fraction.
        let goes_on = next.is_some_and(joins) || (next == Some('.') && over.is_some_and(joins));
        !before.is_some_and(|c| joins(c) || c == '.') && !goes_on
    })
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn times(count: usize) -> String {
    plural(count, "time", "times")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = "brewed\t1\tassam\t8\nbrewed\t2\toolong\t6\nbrewed\t2\toolong\t6\n";

    fn found(how: How, answers: &Answers) -> Vec<String> {
        missing(how, &Facts::parse(FACTS), answers)
    }

    fn printed(lines: &[&str]) -> Answers {
        Answers { lines: lines.iter().map(|l| (*l).to_owned()).collect(), entries: Vec::new() }
    }

    fn kept(entries: &[(&str, &[i64], bool)]) -> Answers {
        let entry = |(key, numbers, histogram): &(&str, &[i64], bool)| Entry {
            map: "@m".into(),
            key: (*key).to_owned(),
            numbers: numbers.to_vec(),
            histogram: *histogram,
        };
        Answers { lines: Vec::new(), entries: entries.iter().map(entry).collect() }
    }

    #[test]
    fn words_are_whole() {
        assert!(
            has("g=4 main.brew: 12", "main.brew")
                && has("name tea.test.", "tea.test")
                && has("2,assam", "assam")
        );
        assert!(
            !has("main.brew.func1", "main.brew") && !has("12", "2") && !has("1.5", "5") && !has("1.5", "1")
        );
    }

    #[test]
    fn lines_are_counted() {
        assert_eq!(found(How::Lines("brewed"), &printed(&["x", "y", "z"])), [""; 0]);
        assert_eq!(
            found(How::Lines("brewed"), &printed(&["x"])),
            ["1 line was printed, it happened 3 times"]
        );
    }

    #[test]
    fn each_fact_needs_a_line() {
        let right = ["header", "1 assam 8", "2: oolong, 6 g", "2: oolong, 6 g"];
        assert_eq!(found(How::LineEach("brewed"), &printed(&right)), [""; 0]);
        assert_eq!(found(How::LineEach("brewed"), &printed(&right[..3])), ["no line with: 2  oolong  6"]);
        let often = [&right[..], &["again 1 assam 8"]].concat();
        assert_eq!(
            found(How::LineEach("brewed"), &printed(&often)),
            ["printed more often than it happened: again 1 assam 8"]
        );
    }

    #[test]
    fn a_number_may_stand_in_a_line_for_another_reason() {
        let facts = Facts::parse("left\t6\nleft\t12\n");
        let lines = printed(&["guest 6: goroutine 12", "guest 12: goroutine 18"]);
        assert_eq!(missing(How::LineEach("left"), &facts, &lines), [""; 0]);
        let lines = printed(&["guest 12: goroutine 6", "guest 6: goroutine 18"]);
        assert_eq!(missing(How::LineEach("left"), &facts, &lines), [""; 0]);
    }

    #[test]
    fn entries_have_keys_and_values() {
        let how = |value| How::Entry { fact: "brewed", by: &[1], value };
        let right = kept(&[("assam", &[1], false), ("main.brew,oolong", &[2], false)]);
        assert_eq!(found(how(Expected::Count), &right), [""; 0]);
        assert_eq!(
            found(how(Expected::Count), &kept(&[("assam", &[4], false)])),
            ["assam: @m has 4, not 1", "no entry for: oolong"]
        );
        let sums = kept(&[("assam", &[8], false), ("oolong", &[2, 6, 12], false)]);
        assert_eq!(found(how(Expected::Sum(2)), &sums), [""; 0]);
        let about = kept(&[("assam", &[9], false), ("oolong", &[25], false)]);
        assert_eq!(found(how(Expected::About(2)), &about), ["oolong: @m has 25, not about 12"]);
        assert_eq!(found(how(Expected::Samples), &right).len(), 2);
        let histograms = kept(&[("assam", &[1], true), ("oolong", &[2], true)]);
        assert_eq!(found(how(Expected::Samples), &histograms), [""; 0]);
    }

    #[test]
    fn not_everything_that_is_missing_is_told() {
        let missing = shortened((0..5).map(|n| n.to_string()).collect());
        assert_eq!(missing, ["0", "1", "2", "and 2 more"]);
    }
}
