//! What a script printed, from the output of `gotrace -f json`.

use serde_json::Value as Json;

/// What a script printed: lines of text, and maps.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answers {
    /// The lines of everything that is no map, empty ones left out.
    pub lines: Vec<String>,
    /// The entries of all maps.
    pub entries: Vec<Entry>,
}

/// An entry of a map.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The name of the map, with the sign.
    pub map: String,
    /// The key as text; empty for a map without one.
    pub key: String,
    /// The numbers of its value: one, or count, average and total, or those of a tuple. Of a histogram the number of samples.
    pub numbers: Vec<i64>,
    /// Whether it is a histogram.
    pub histogram: bool,
}

impl Entry {
    /// The number of `sum()` and the like, the total of `stats()`.
    #[must_use]
    pub fn total(&self) -> Option<i64> {
        self.numbers.last().copied()
    }
}

impl Answers {
    /// Reads the output of a run, an object in each line. What is no such line is left out.
    #[must_use]
    pub fn parse(json: &str) -> Answers {
        let mut text = String::new();
        let mut entries = Vec::new();
        for line in json.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()) {
            let (Some(kind), Some(data)) = (line.get("type").and_then(Json::as_str), line.get("data")) else {
                continue;
            };
            match (kind, data) {
                ("map" | "hist" | "stats", Json::Object(maps)) => {
                    for (name, content) in maps {
                        entries.extend(of_map(name, content, kind == "hist"));
                    }
                }
                ("attached_probes" | "lost_events", _) => {}
                (_, Json::String(data)) => text.push_str(data),
                (_, data) => text.push_str(&format!("{data}\n")),
            }
        }
        let lines = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
        Answers { lines, entries }
    }
}

fn of_map(name: &str, content: &Json, histogram: bool) -> Vec<Entry> {
    let entry = |key: &str, value: &Json| Entry {
        map: name.to_owned(),
        key: key.to_owned(),
        numbers: if histogram { vec![samples(value)] } else { numbers(value) },
        histogram,
    };
    match content {
        // `stats()` without a key is an object too.
        Json::Object(members) if !members.keys().eq(["count", "average", "total"]) => {
            members.iter().map(|(key, value)| entry(key, value)).collect()
        }
        value => vec![entry("", value)],
    }
}

fn samples(histogram: &Json) -> i64 {
    let buckets = histogram.as_array().map(Vec::as_slice).unwrap_or_default();
    buckets.iter().filter_map(|bucket| bucket.get("count")?.as_i64()).sum()
}

fn numbers(value: &Json) -> Vec<i64> {
    match value {
        Json::Number(n) => n.as_i64().into_iter().collect(),
        // Numbers that a double cannot hold are texts.
        Json::String(text) => text.parse().into_iter().collect(),
        Json::Array(of) => of.iter().flat_map(numbers).collect(),
        Json::Object(of) => of.values().flat_map(numbers).collect(),
        Json::Bool(_) | Json::Null => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = r#"{"type": "attached_probes", "data": {"probes": 1}}
{"type": "printf", "data": "one "}
{"type": "printf", "data": "two\n\nthree\n"}
{"type": "map", "data": {"@n": {"a,1": 3, "b,2": 4}}}
{"type": "map", "data": {"@": 7}}
{"type": "stats", "data": {"@s": {"count": 2, "average": 5, "total": 10}}}
{"type": "hist", "data": {"@h": {"f": [{"min": 2, "max": 3, "count": 5},{"min": 4, "max": 7, "count": 1}]}}}
"#;

    #[test]
    fn pieces_of_text_are_put_together() {
        assert_eq!(Answers::parse(OUTPUT).lines, ["one two", "three"]);
        assert_eq!(Answers::parse("not json\n"), Answers::default());
    }

    #[test]
    fn maps_are_entries() {
        let entries = Answers::parse(OUTPUT).entries;
        let shown: Vec<_> = entries
            .iter()
            .map(|e| (e.map.as_str(), e.key.as_str(), e.numbers.as_slice(), e.histogram))
            .collect();
        let expected: [(&str, &str, &[i64], bool); 5] = [
            ("@n", "a,1", &[3], false),
            ("@n", "b,2", &[4], false),
            ("@", "", &[7], false),
            ("@s", "", &[2, 5, 10], false),
            ("@h", "f", &[6], true),
        ];
        assert_eq!(shown, expected);
    }
}
