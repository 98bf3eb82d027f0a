//! Contents of the script's maps: read whole, merged over the CPUs, decoded and sorted for the output; cleared and zeroed
//! when the script asks for it.
//!
//! [`ScriptMap`] joins a kernel map with what code generation says about it. Layouts are those of [`codegen::layout`].

use crate::decode::{DecodeError, Decoder};
use crate::number::Int;
use crate::sys::bpf;
use crate::value::Value;
use codegen::layout;
use codegen::object::{MapDef, UserMap};
use lang::hir::{Agg, MapValue, Series};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use thiserror::Error;

/// An entry of a map, merged over the CPUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its key; `None` in a scalar map.
    pub key: Option<Value>,
    /// What stands there.
    pub result: MapResult,
}

/// What a map holds under a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MapResult {
    /// A value that was assigned.
    Value(Value),
    /// Result of `count()`, `sum()`, `min()` or `max()`.
    Number(Int),
    /// Of a count, a sum or an extreme to which nothing was accounted, or which the script has zeroed: shown as 0.
    Nothing,
    /// Result of `avg()`.
    Average(Mean),
    /// Result of `stats()`.
    Stats(Mean),
    /// Counts of a power-of-two histogram.
    Hist {
        /// Logarithm of the number of buckets per power.
        bits: u8,
        /// One count per bucket, as [`codegen::layout::hist_bounds`] numbers them.
        counts: Vec<u64>,
    },
    /// Counts of a linear histogram.
    Lhist {
        /// Lower bound of the first step.
        min: i64,
        /// Upper bound of the last step.
        max: i64,
        /// Width of a step.
        step: i64,
        /// Below, the steps, above.
        counts: Vec<u64>,
    },
    /// Result of `tseries()`.
    Tseries(TimeSeries),
}

/// What the values of periods make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeSeries {
    /// Nanoseconds of a period.
    pub interval: u64,
    /// Number of the last period that is shown, of all since 1970: the last that has a value in any series of the map.
    pub latest: u64,
    /// The periods with values, in ascending order: number, and result.
    pub points: Vec<(u64, Int)>,
}

impl MapResult {
    /// What entries of the map are sorted by, if not by their keys: the number, the average, the number of values in
    /// the histogram.
    fn rank(&self) -> Option<i128> {
        match self {
            MapResult::Value(Value::Int(n)) | MapResult::Number(n) => Some(n.value()),
            MapResult::Nothing => Some(0),
            MapResult::Value(_) | MapResult::Tseries(_) => None,
            MapResult::Average(mean) | MapResult::Stats(mean) => Some(mean.average().value()),
            MapResult::Hist { counts, .. } | MapResult::Lhist { counts, .. } => {
                Some(counts.iter().map(|c| i128::from(*c)).sum())
            }
        }
    }

    /// Whether no value has been accounted (or the script has zeroed it). Of assigned values this cannot be told.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            MapResult::Value(_) | MapResult::Number(_) => false,
            MapResult::Nothing => true,
            MapResult::Tseries(series) => series.points.is_empty(),
            MapResult::Average(mean) | MapResult::Stats(mean) => mean.count == 0,
            MapResult::Hist { counts, .. } | MapResult::Lhist { counts, .. } => {
                counts.iter().all(|c| *c == 0)
            }
        }
    }
}

/// Count and total of some values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mean {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub total: Int,
}

impl Mean {
    /// The average, rounded to zero; 0 of no values.
    #[must_use]
    pub fn average(self) -> Int {
        match self.total {
            Int::Signed { value, bits } => {
                let count = i64::try_from(self.count).unwrap_or(i64::MAX).max(1);
                Int::Signed { value: value / count, bits }
            }
            Int::Unsigned { value, bits } => Int::Unsigned { value: value / self.count.max(1), bits },
        }
    }
}

impl TimeSeries {
    /// Shows so many periods, up to this one.
    fn end_at(&mut self, latest: u64, count: u32) {
        let first = (latest + 1).saturating_sub(u64::from(count));
        self.points.retain(|(number, _)| *number >= first);
        self.latest = latest;
    }
}

/// Lets all series of a map end with the same period.
fn align(entries: &mut [Entry], count: u32) {
    let mut series: Vec<&mut TimeSeries> = entries
        .iter_mut()
        .filter_map(|entry| match &mut entry.result {
            MapResult::Tseries(series) => Some(series),
            _ => None,
        })
        .collect();
    let latest = series.iter().map(|series| series.latest).max().unwrap_or(0);
    series.iter_mut().for_each(|series| series.end_at(latest, count));
}

/// Why a map could not be read or changed.
#[derive(Debug, Error)]
pub enum MapError {
    /// The kernel refused.
    #[error("cannot {what} {map}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The map, with its `@`.
        map: String,
        /// The reason.
        source: io::Error,
    },
    /// An entry does not have the layout that it should have.
    #[error("{map}: {source}")]
    Decode {
        /// The map, with its `@`.
        map: String,
        /// What is wrong.
        source: DecodeError,
    },
}

/// A map of the script in the kernel.
#[derive(Clone, Copy, Debug)]
pub struct ScriptMap<'a> {
    /// The kernel's map.
    pub fd: BorrowedFd<'a>,
    /// How it was created.
    pub def: &'a MapDef,
    /// What it means.
    pub user: &'a UserMap,
}

impl ScriptMap<'_> {
    /// Whether a scalar map has been given a value; maps with keys always count as set. Scalars that nothing was stored in
    /// are not printed at the end of a run.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn is_set(&self) -> Result<bool, MapError> {
        if self.user.key.is_some() {
            return Ok(true);
        }
        let map = self.open().map_err(|e| self.io("read", e))?;
        let value = map.lookup(&[0; 4]).map_err(|e| self.io("read", e))?.unwrap_or_default();
        // An aggregation is all zeros only as long as nothing was accounted (or nothing but zeros summed up).
        let mark = match self.user.value {
            MapValue::Plain(_) => layout::value_size(&self.user.value) as usize,
            MapValue::Agg(_) => 0,
        };
        Ok(value.get(mark..).is_some_and(|mark| mark.iter().any(|byte| *byte != 0)))
    }

    /// All entries, sorted (see [`sort`]). A scalar map has exactly one.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn read(&self, decoder: &Decoder) -> Result<Vec<Entry>, MapError> {
        let raw = self.open().and_then(|map| self.pairs(&map)).map_err(|e| self.io("read", e))?;
        let entries = raw.iter().map(|(key, value)| self.entry(key, value, decoder));
        let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(|e| self.decode(e))?;
        if let MapValue::Agg(Agg::Tseries { count, .. }) = self.user.value {
            align(&mut entries, count);
        }
        sort(&mut entries);
        Ok(entries)
    }

    /// What stands under a key whose bytes are given (without padding); `None` when there is no entry.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn get(&self, key: &[u8], decoder: &Decoder) -> Result<Option<MapResult>, MapError> {
        let io = |e| self.io("read", e);
        let map = self.open().map_err(io)?;
        let mut padded = key.to_vec();
        padded.resize(map.key_size(), 0);
        let Some(value) = map.lookup(&padded).map_err(io)? else { return Ok(None) };
        self.result(&value, decoder).map(Some).map_err(|e| self.decode(e))
    }

    /// Removes all entries; a scalar map becomes zero.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn clear(&self) -> Result<(), MapError> {
        self.change("clear", |map, key| map.delete(key).map(|_| ()))
    }

    /// Sets the values of all entries to zero.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn zero(&self) -> Result<(), MapError> {
        self.change("zero", |map, key| map.replace(key, &vec![0; map.value_size()]).map(|_| ()))
    }

    /// Does something to every entry. The one place of an array cannot be removed and is zeroed whatever was asked.
    fn change(
        &self,
        what: &'static str,
        each: impl Fn(&bpf::Map<'_>, &[u8]) -> io::Result<()>,
    ) -> Result<(), MapError> {
        let change = || {
            let map = self.open()?;
            for (key, mut value) in self.pairs(&map)? {
                if self.def.kind.is_array() {
                    self.reset(what, &mut value);
                    map.update(&key, &value)?;
                } else {
                    each(&map, &key)?;
                }
            }
            Ok(())
        };
        change().map_err(|e| self.io(what, e))
    }

    /// Zeroes a scalar. After `clear` a plain one is not set any more, after `zero` it is 0.
    fn reset(&self, what: &str, value: &mut [u8]) {
        let len = match &self.user.value {
            MapValue::Plain(_) if what == "zero" => layout::value_size(&self.user.value) as usize,
            _ => value.len(),
        };
        value.iter_mut().take(len).for_each(|byte| *byte = 0);
    }

    fn open(&self) -> io::Result<bpf::Map<'_>> {
        bpf::Map::new(self.fd)
    }

    /// All keys and values as they are in memory: in one batch, or key by key where the kernel has no batches.
    fn pairs(&self, map: &bpf::Map<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        map.lookup_batch().or_else(|_| one_by_one(map))
    }

    fn entry(&self, key: &[u8], value: &[u8], decoder: &Decoder) -> Result<Entry, DecodeError> {
        let key = self.user.key.as_ref().map(|ty| decoder.value(ty, key)).transpose()?;
        Ok(Entry { key, result: self.result(value, decoder)? })
    }

    /// Decodes a value; `bytes` has the parts of all CPUs one after the other.
    fn result(&self, bytes: &[u8], decoder: &Decoder) -> Result<MapResult, DecodeError> {
        match &self.user.value {
            MapValue::Plain(ty) => decoder.value(ty, bytes).map(MapResult::Value),
            MapValue::Agg(agg) => Ok(aggregate(*agg, bytes)),
        }
    }

    fn io(&self, what: &'static str, source: io::Error) -> MapError {
        MapError::Io { what, map: self.user.name.clone(), source }
    }

    fn decode(&self, source: DecodeError) -> MapError {
        MapError::Decode { map: self.user.name.clone(), source }
    }
}

/// Reads a map key by key. When a key is removed while the map is read the kernel starts over, so the number of steps is
/// bounded, and keys that come twice count once.
fn one_by_one(map: &bpf::Map<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut pairs = BTreeMap::new();
    let mut key = map.next_key(None)?;
    for _ in 0..u64::from(map.max_entries()) * 2 {
        let Some(at) = key else { break };
        let next = map.next_key(Some(&at))?;
        if let Some(value) = map.lookup(&at)? {
            pairs.insert(at, value);
        }
        key = next;
    }
    Ok(pairs.into_iter().collect())
}

/// Merges the parts of the CPUs as the table in [`codegen::layout`] says.
fn aggregate(agg: Agg, bytes: &[u8]) -> MapResult {
    if let Agg::Tseries { interval, count, of, signed } = agg {
        let points = periods(bytes, of, signed);
        let latest = points.last().map_or(0, |(number, _)| *number);
        let mut series = TimeSeries { interval, latest, points };
        series.end_at(latest, count);
        return MapResult::Tseries(series);
    }
    let words = layout::words(agg) as usize;
    let mut merged = vec![0u64; words];
    let greatest = matches!(agg, Agg::Min { .. } | Agg::Max { .. });
    for part in bytes.chunks_exact(8 * words) {
        for (to, word) in merged.iter_mut().zip(part.chunks_exact(8)) {
            let mut raw = [0; 8];
            raw.copy_from_slice(word);
            let word = u64::from_ne_bytes(raw);
            *to = if greatest { word.max(*to) } else { to.wrapping_add(word) };
        }
    }
    let [first, second] = [0, 1].map(|i| merged.get(i).copied().unwrap_or(0));
    let mean = |signed| Mean { count: first, total: Int::of_64(second, signed) };
    let extreme = |kept: u64, signed| MapResult::Number(Int::of_64(layout::bias(kept, signed), signed));
    match agg {
        Agg::Count if first == 0 => MapResult::Nothing,
        Agg::Sum { .. } | Agg::Max { .. } | Agg::Min { .. } if second == 0 => MapResult::Nothing,
        Agg::Count => MapResult::Number(Int::of_64(first, false)),
        Agg::Sum { signed } => MapResult::Number(Int::of_64(first, signed)),
        Agg::Max { signed } => extreme(first, signed),
        Agg::Min { signed } => extreme(!first, signed),
        Agg::Avg { signed } => MapResult::Average(mean(signed)),
        Agg::Stats { signed } => MapResult::Stats(mean(signed)),
        Agg::Hist { bits } => MapResult::Hist { bits, counts: merged },
        Agg::Lhist { min, max, step } => MapResult::Lhist { min, max, step, counts: merged },
        Agg::Tseries { .. } => MapResult::Nothing,
    }
}

/// The periods of a time series, those of all CPUs put together.
fn periods(bytes: &[u8], of: Series, signed: bool) -> Vec<(u64, Int)> {
    let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let mut periods: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for period in words.chunks_exact(layout::PERIOD_WORDS as usize) {
        let [number, value, beside] = *period else { continue };
        if number == 0 {
            continue;
        }
        let kept = periods.entry(number).or_insert((value, 0));
        let less = if signed { value.cast_signed() < kept.0.cast_signed() } else { value < kept.0 };
        let first = kept.1 == 0;
        kept.0 = match of {
            _ if first => value,
            Series::Last if beside > kept.1 => value,
            Series::Sum | Series::Avg => kept.0.wrapping_add(value),
            Series::Min if less => value,
            Series::Max if !less => value,
            Series::Last | Series::Min | Series::Max => kept.0,
        };
        kept.1 = if of == Series::Last { beside.max(kept.1) } else { kept.1 + beside };
    }
    let result = |(value, count): (u64, u64)| match of {
        Series::Avg => Mean { count, total: Int::of_64(value, signed) }.average(),
        _ => Int::of_64(value, signed),
    };
    periods.into_iter().map(|(number, kept)| (number, result(kept))).collect()
}

/// Brings entries into the order in which they are printed: numbers, averages and histograms ascending (so that the
/// greatest stands last, next to the prompt), entries that are equal in that and all others by key.
pub fn sort(entries: &mut [Entry]) {
    let by_rank = |a: &Entry, b: &Entry| match (a.result.rank(), b.result.rank()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => Ordering::Equal,
    };
    entries.sort_by(|a, b| by_rank(a, b).then_with(|| a.key.cmp(&b.key)));
}

/// The part that `print(@m, top)` shows: the last `top` of sorted entries, all for 0. Time series have no greatest.
#[must_use]
pub fn top(entries: &[Entry], top: u32) -> &[Entry] {
    let series = entries.iter().any(|entry| matches!(entry.result, MapResult::Tseries(_)));
    let skip = if top == 0 || series { 0 } else { entries.len().saturating_sub(top as usize) };
    entries.get(skip..).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use codegen::object::MapKind;
    use lang::hir::Program;
    use lang::types::Type;
    use std::os::fd::{AsFd, OwnedFd};

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_ne_bytes()).collect()
    }

    fn int(value: i64) -> Int {
        Int::of_64(value.cast_unsigned(), true)
    }

    fn extremes(values: &[i64], max: bool) -> Vec<u64> {
        let kept = |v: &i64| layout::bias(v.cast_unsigned(), true);
        values.iter().flat_map(|v| [if max { kept(v) } else { !kept(v) }, 1]).collect()
    }

    #[test]
    fn cpus_are_merged() {
        assert_eq!(aggregate(Agg::Count, &words(&[3, 0, 4])), MapResult::Number(Int::of_64(7, false)));
        let sum = words(&[(-5i64).cast_unsigned(), 1, 3, 1]);
        assert_eq!(aggregate(Agg::Sum { signed: true }, &sum), MapResult::Number(int(-2)));
        let max = words(&extremes(&[-4, -9], true));
        assert_eq!(aggregate(Agg::Max { signed: true }, &max), MapResult::Number(int(-4)));
        let min = words(&[extremes(&[-4, 7], false), vec![0, 0]].concat());
        assert_eq!(aggregate(Agg::Min { signed: true }, &min), MapResult::Number(int(-4)));
        // The value that is kept as 0 is told from none.
        let greatest = MapResult::Number(Int::of_64(u64::MAX, false));
        assert_eq!(aggregate(Agg::Min { signed: false }, &words(&[0, 1])), greatest);
        assert_eq!(
            aggregate(Agg::Max { signed: false }, &words(&[0, 1])),
            MapResult::Number(Int::of_64(0, false))
        );
        for agg in [Agg::Sum { signed: true }, Agg::Min { signed: false }, Agg::Max { signed: false }] {
            assert_eq!(aggregate(agg, &words(&[0, 0])), MapResult::Nothing);
        }
        let mean = Mean { count: 3, total: int(-7) };
        let parts = words(&[1, (-9i64).cast_unsigned(), 2, 2]);
        assert_eq!(aggregate(Agg::Stats { signed: true }, &parts), MapResult::Stats(mean));
        assert_eq!(mean.average(), int(-2));
        assert_eq!(
            aggregate(Agg::Lhist { min: 0, max: 10, step: 10 }, &words(&[1, 0, 2, 4, 0, 8])),
            MapResult::Lhist { min: 0, max: 10, step: 10, counts: vec![5, 0, 10] }
        );
    }

    #[test]
    fn periods_of_several_cpus_are_merged() {
        let minus = |n: i64| n.cast_unsigned();
        let parts = words(&[7, 5, 100, 8, minus(-3), 200, 7, 9, 150, 0, 4, 0]);
        let merged = |of| -> Vec<(u64, i128)> {
            periods(&parts, of, true).into_iter().map(|(number, value)| (number, value.value())).collect()
        };
        assert_eq!(merged(Series::Last), [(7, 9), (8, -3)]);
        assert_eq!(merged(Series::Min), [(7, 5), (8, -3)]);
        assert_eq!(merged(Series::Max), [(7, 9), (8, -3)]);
        assert_eq!(merged(Series::Sum), [(7, 14), (8, -3)]);
        let parts = words(&[7, 10, 3, 7, 4, 1]);
        assert_eq!(periods(&parts, Series::Avg, false), [(7, Int::of_64(3, false))]);
    }

    #[test]
    fn order_of_entries() {
        let entry = |key, result| Entry { key: Some(Value::Int(int(key))), result };
        let number = |n| MapResult::Value(Value::Int(int(n)));
        let keys = |entries: &[Entry]| -> Vec<i128> {
            entries.iter().map(|e| if let Some(Value::Int(n)) = &e.key { n.value() } else { 0 }).collect()
        };
        let mut entries =
            vec![entry(7, number(5)), entry(3, number(9)), entry(4, number(-1)), entry(1, number(5))];
        sort(&mut entries);
        assert_eq!(keys(&entries), [4, 1, 7, 3]);
        assert_eq!(keys(top(&entries, 2)), [7, 3]);
        assert_eq!(keys(top(&entries, 0)), [4, 1, 7, 3]);
        assert_eq!(keys(top(&entries, 99)).len(), 4);
        let mut texts = vec![entry(2, MapResult::Value(Value::Name("a".into())))];
        texts.push(entry(-1, MapResult::Value(Value::Name("b".into()))));
        sort(&mut texts);
        assert_eq!(keys(&texts), [-1, 2]);
        let stats = |count, total| MapResult::Stats(Mean { count, total: int(total) });
        let mut means = vec![entry(5, stats(2, 12)), entry(1, stats(1, 5)), entry(0, stats(1, 5))];
        sort(&mut means);
        assert_eq!(keys(&means), [0, 1, 5]);
    }

    /// A map in the kernel; `None` (and a word on standard error) where bpf(2) is not permitted.
    fn kernel_map(test: &str, def: &MapDef) -> Option<OwnedFd> {
        let fd = bpf::map_create(def.kind as u32, def.key_size, def.value_size, def.max_entries);
        fd.inspect_err(|e| eprintln!("{test}: skipped, no map can be made here: {e}")).ok()
    }

    fn def(kind: MapKind, key: Option<&Type>, value: &MapValue) -> MapDef {
        let (key_size, value_size) = (layout::key_size(key), layout::value_size(value));
        MapDef {
            name: "AT_x".into(),
            kind,
            key_size,
            value_size,
            max_entries: if key.is_some() { 100 } else { 1 },
        }
    }

    #[test]
    fn a_map_is_read_cleared_and_zeroed() {
        let value = MapValue::Agg(Agg::Count);
        let user = UserMap {
            name: "@x".into(),
            map: 0,
            key: Some(Type::I32),
            value: value.clone(),
            declared: false,
        };
        let def = def(MapKind::PerCpuHash, Some(&Type::I32), &value);
        let Some(fd) = kernel_map("a_map_is_read_cleared_and_zeroed", &def) else { return };
        let raw = bpf::Map::new(fd.as_fd()).unwrap();
        let cpus = raw.value_size() / 8;
        for key in [7u64, 3] {
            raw.update(&key.to_ne_bytes(), &words(&vec![key; cpus])).unwrap();
        }
        let map = ScriptMap { fd: fd.as_fd(), def: &def, user: &user };
        let decoder = Decoder::new(&Program::default());
        let read = || -> Vec<(i128, i128)> {
            let number = |e: Entry| match (e.key, e.result) {
                (Some(Value::Int(k)), MapResult::Number(n)) => (k.value(), n.value()),
                (Some(Value::Int(k)), MapResult::Nothing) => (k.value(), 0),
                other => panic!("{other:?}"),
            };
            map.read(&decoder).unwrap().into_iter().map(number).collect()
        };
        let cpus = cpus as i128;
        assert_eq!(read(), [(3, 3 * cpus), (7, 7 * cpus)]);
        assert_eq!(one_by_one(&raw).unwrap().len(), 2);
        let three = map.get(&3u32.to_ne_bytes(), &decoder).unwrap();
        assert_eq!(three, Some(MapResult::Number(Int::of_64(3 * cpus as u64, false))));
        assert_eq!(map.get(&4u32.to_ne_bytes(), &decoder).unwrap(), None);
        map.zero().unwrap();
        assert_eq!(read(), [(3, 0), (7, 0)]);
        map.clear().unwrap();
        assert_eq!(read(), []);
    }

    #[test]
    fn a_scalar_is_set_until_it_is_cleared() {
        let value = MapValue::Plain(Type::Str(16));
        let user = UserMap { name: "@x".into(), map: 0, key: None, value, declared: false };
        let def = MapDef {
            name: ".data.AT_x".into(),
            kind: MapKind::Array,
            key_size: 4,
            value_size: 24,
            max_entries: 1,
        };
        let Some(fd) = kernel_map("a_scalar_is_set_until_it_is_cleared", &def) else { return };
        let map = ScriptMap { fd: fd.as_fd(), def: &def, user: &user };
        let decoder = Decoder::new(&Program::default());
        let holds = |bytes: &[u8]| {
            let text = crate::value::Text { bytes: bytes.into(), cut: false };
            assert_eq!(
                map.read(&decoder).unwrap(),
                [Entry { key: None, result: MapResult::Value(Value::Text(text)) }]
            );
        };
        assert!(!map.is_set().unwrap());
        let raw = b"hello\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0";
        bpf::Map::new(fd.as_fd()).unwrap().update(&[0; 4], raw).unwrap();
        holds(b"hello");
        assert!(map.is_set().unwrap());
        map.zero().unwrap();
        holds(b"");
        assert!(map.is_set().unwrap());
        map.clear().unwrap();
        assert!(!map.is_set().unwrap());
    }

    #[test]
    fn a_ring_buffer_is_not_read() {
        let value = MapValue::Plain(Type::I64);
        let user = UserMap { name: "@r".into(), map: 0, key: None, value, declared: false };
        let def = MapDef {
            name: "r".into(),
            kind: MapKind::RingBuf,
            key_size: 0,
            value_size: 0,
            max_entries: 4096,
        };
        let Some(fd) = kernel_map("a_ring_buffer_is_not_read", &def) else { return };
        let map = ScriptMap { fd: fd.as_fd(), def: &def, user: &user };
        let error = map.read(&Decoder::new(&Program::default())).unwrap_err();
        assert_eq!(error.to_string(), "cannot read @r: a map without keys and values");
    }
}
