//! Why goroutines wait: the texts of `runtime.waitReasonStrings`, by the number that `g.waitreason` holds. Numbers change between
//! releases, so they are read from the binary. The table has no symbol in a stripped one; it is an array of strings in which the second
//! is [`SECOND`] and the first is empty, in every release.

use super::GoBinary;
use crate::bytes;
use crate::image::Image;

/// `waitReasonGCAssistMarking`, number 1.
const SECOND: &[u8] = b"GC assist marking";
/// Size of a string: address and length.
const STRING: u64 = 16;
/// Texts that are read at most; Go 1.27 has 47.
const COUNT: u64 = 96;
/// Length of a text at most; the longest has 39 bytes.
const LENGTH: u64 = 64;

impl GoBinary {
    /// The texts by number; empty when they cannot be found. There can be more than the program uses.
    pub fn wait_reasons(&self) -> &[String] {
        self.wait_reasons.get_or_init(|| find(self.image()).unwrap_or_default())
    }
}

fn find(image: &Image) -> Option<Vec<String>> {
    let texts = image.segments().iter().filter(|segment| !segment.executable).flat_map(|segment| {
        let data = image.tail(segment.vaddr).unwrap_or_default();
        positions(data, SECOND).filter_map(|at| segment.vaddr.checked_add(at))
    });
    texts.take(COUNT as usize).find_map(|text| table(image, text))
}

/// Where `wanted` begins in `data`.
fn positions<'a>(data: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = u64> + 'a {
    let first = wanted.first().copied().unwrap_or_default();
    let starts = data.iter().zip(0u64..).filter(move |(byte, _)| **byte == first).map(|(_, at)| at);
    starts.filter(move |at| {
        bytes::index(*at).and_then(|at| data.get(at..)).is_some_and(|rest| rest.starts_with(wanted))
    })
}

/// The table in which the text at this address is the second.
fn table(image: &Image, text: u64) -> Option<Vec<String>> {
    let relocated = image.relocations().iter().filter(|r| r.addend == text).map(|r| r.vaddr);
    let in_place = image.segments().iter().filter(|segment| !segment.executable).flat_map(|segment| {
        let skip = segment.vaddr.wrapping_neg() % 8;
        let data = image.tail(segment.vaddr).unwrap_or_default();
        let words = data.get(bytes::index(skip).unwrap_or(usize::MAX)..).unwrap_or_default().chunks_exact(8);
        let hits = words.zip((0u64..).step_by(8)).filter(move |(word, _)| **word == text.to_le_bytes());
        hits.filter_map(move |(_, at)| segment.vaddr.checked_add(skip)?.checked_add(at))
    });
    relocated.chain(in_place).find_map(|second| {
        let first = second.checked_sub(STRING)?;
        let is_second = image.read_word(second.checked_add(8)?) == Some(SECOND.len() as u64);
        let first_is_empty = image.read_word(first.checked_add(8)?) == Some(0);
        (is_second && first_is_empty).then(|| strings(image, first))
    })
}

/// The strings from an address on, as long as they can be texts of the table.
fn strings(image: &Image, first: u64) -> Vec<String> {
    let text = |n: u64| {
        let at = first.checked_add(n * STRING)?;
        let (text, len) = (image.read_word(at)?, image.read_word(at.checked_add(8)?)?);
        if n == 0 {
            return Some(String::new());
        }
        let raw = (1..=LENGTH).contains(&len).then(|| image.read(text, bytes::index(len)?))??;
        let is_text = raw.iter().all(|byte| matches!(byte, b' '..=b'~'));
        is_text.then(|| String::from_utf8_lossy(raw).into_owned())
    };
    (0..COUNT).map_while(text).collect()
}

#[cfg(test)]
mod tests {
    use super::positions;

    #[test]
    fn all_places_of_a_text() {
        let found: Vec<u64> = positions(b"GC GC assist, GC assist", b"GC assist").collect();
        assert_eq!(found, [3, 14]);
        assert_eq!(positions(b"GC", b"GC assist").count(), 0);
    }
}
