//! Maps whose sizes are known at run time only, which aya's typed maps are not made for.

use super::{Attr, Command, object_info};
use crate::sys::clock;
use crate::sys::probe::Feature;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Creates a map (features are probed with it; the program's maps are made by aya).
///
/// # Errors
/// The error of the system call.
pub fn map_create(kind: u32, key_size: u32, value_size: u32, max_entries: u32) -> io::Result<OwnedFd> {
    let mut attr = Attr::new().u32(0, kind).u32(4, key_size).u32(8, value_size).u32(12, max_entries);
    // SAFETY: the block holds no addresses.
    unsafe { attr.call_fd(Command::MapCreate) }
}

/// A map with the sizes that the kernel uses when it copies keys and values.
///
/// Sizes are asked from the kernel, not taken from the caller, because the kernel copies that many bytes whatever the
/// caller believes.
#[derive(Debug)]
pub struct Map<'a> {
    fd: BorrowedFd<'a>,
    key_size: usize,
    /// Bytes of a value, of all CPUs together for per-CPU maps.
    value_size: usize,
    max_entries: u32,
}

/// Whether a map type has a value per CPU (`enum bpf_map_type`: percpu hash, percpu array, LRU percpu hash).
fn is_per_cpu(map_type: u32) -> bool {
    matches!(map_type, 5 | 6 | 10)
}

impl<'a> Map<'a> {
    /// A view of a map.
    ///
    /// # Errors
    /// `fd` is no map, the map has no keys and values (a ring buffer), or the list of CPUs cannot be read.
    pub fn new(fd: BorrowedFd<'a>) -> io::Result<Map<'a>> {
        // struct bpf_map_info: u32 type, id, key_size, value_size, max_entries.
        let mut info = [0u8; 20];
        object_info(fd, &mut info)?;
        let word = |i: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&info[4 * i..4 * i + 4]);
            u32::from_ne_bytes(bytes)
        };
        let (map_type, key_size, one, max_entries) = (word(0), word(2), word(3) as usize, word(4));
        if key_size == 0 || one == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a map without keys and values"));
        }
        // The kernel rounds each CPU's part up to 8 (kernel/bpf/syscall.c, bpf_map_value_size).
        let value_size =
            if is_per_cpu(map_type) { one.next_multiple_of(8) * clock::possible_cpus()? } else { one };
        Ok(Map { fd, key_size: key_size as usize, value_size, max_entries })
    }

    /// Bytes of a key.
    #[must_use]
    pub fn key_size(&self) -> usize {
        self.key_size
    }

    /// Bytes of a value, of all CPUs together for per-CPU maps.
    #[must_use]
    pub fn value_size(&self) -> usize {
        self.value_size
    }

    /// The greatest number of entries.
    #[must_use]
    pub fn max_entries(&self) -> u32 {
        self.max_entries
    }

    /// The value under a key; `None` when there is none.
    ///
    /// # Errors
    /// The key has the wrong size, or the call fails.
    pub fn lookup(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.check_key(key)?;
        let mut value = vec![0; self.value_size];
        let mut attr = Attr::new().fd(0, self.fd).input(8, key).output(16, &mut value);
        // SAFETY: `key` and `value` have the sizes that the kernel has for this map.
        let found = unsafe { attr.call(Command::MapLookup) };
        Ok(absent(found)?.map(|_| value))
    }

    /// Sets the value under a key.
    ///
    /// # Errors
    /// Key or value have the wrong size, or the call fails (`E2BIG`: the map is full).
    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.set(key, value, BPF_ANY)
    }

    /// Sets the value of an entry; `false` when there is none under the key.
    ///
    /// # Errors
    /// Key or value have the wrong size, or the call fails.
    pub fn replace(&self, key: &[u8], value: &[u8]) -> io::Result<bool> {
        Ok(absent(self.set(key, value, BPF_EXIST))?.is_some())
    }

    fn set(&self, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
        self.check_key(key)?;
        check_size(value, self.value_size)?;
        let mut attr = Attr::new().fd(0, self.fd).input(8, key).input(16, value).u64(24, flags);
        // SAFETY: `key` and `value` have the sizes that the kernel has for this map.
        unsafe { attr.call(Command::MapUpdate) }.map(|_| ())
    }

    /// Removes the entry under a key; `false` when there was none.
    ///
    /// # Errors
    /// The key has the wrong size, or the call fails (arrays have no empty places).
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        self.check_key(key)?;
        let mut attr = Attr::new().fd(0, self.fd).input(8, key);
        // SAFETY: `key` has the size that the kernel has for this map.
        let removed = unsafe { attr.call(Command::MapDelete) };
        Ok(absent(removed)?.is_some())
    }

    /// The key after `key` in the map's own order, the first one for `None`; `None` at the end. Starts over when `key`
    /// has been removed.
    ///
    /// # Errors
    /// The key has the wrong size, or the call fails.
    pub fn next_key(&self, key: Option<&[u8]>) -> io::Result<Option<Vec<u8>>> {
        let mut next = vec![0; self.key_size];
        let mut attr = Attr::new().fd(0, self.fd).output(16, &mut next);
        if let Some(key) = key {
            self.check_key(key)?;
            attr = attr.input(8, key);
        }
        // SAFETY: `key` (or null, which the kernel takes for "the first") and `next` have the size of this map's keys.
        let found = unsafe { attr.call(Command::MapNextKey) };
        Ok(absent(found)?.map(|_| next))
    }

    /// All keys and values by `BPF_MAP_LOOKUP_BATCH`, some thousand bytes to a call. Entries that are added or removed
    /// meanwhile may be missed or be there.
    ///
    /// # Errors
    /// The call fails; kernels before 5.6, and some map types, do not have it (`EINVAL`, `ENOTSUPP`).
    pub fn lookup_batch(&self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Feature::Batch.refuse_if_withheld(libc::EINVAL)?;
        // The position is a u32 for hash maps and a key for others (linux/bpf.h, BPF_MAP_LOOKUP_BATCH).
        let position_size = self.key_size.max(4);
        let (mut from, mut to) = (vec![0u8; position_size], vec![0u8; position_size]);
        let mut first = true;
        let mut room = BATCH_BYTES.div_ceil(self.value_size.max(1)).clamp(BATCH_LEAST, BATCH_MOST);
        let mut all = Vec::new();
        loop {
            let mut keys = vec![0u8; room * self.key_size];
            let mut values = vec![0u8; room * self.value_size];
            let mut attr = Attr::new()
                .output(8, &mut to)
                .output(16, &mut keys)
                .output(24, &mut values)
                .u32(32, room as u32)
                .fd(36, self.fd);
            if !first {
                attr = attr.input(0, &from);
            }
            // SAFETY: there is room for `room` keys and values of this map's sizes and for a position; all are live.
            let result = unsafe { attr.call(Command::MapLookupBatch) };
            let end = match result {
                Ok(_) => false,
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => true,
                // One hash bucket has more entries than there is room for.
                Err(e) if e.raw_os_error() == Some(libc::ENOSPC) && room <= self.max_entries as usize => {
                    room *= 2;
                    continue;
                }
                Err(e) => return Err(e),
            };
            let count = (attr.read_u32(32) as usize).min(room);
            let pairs = keys.chunks_exact(self.key_size).zip(values.chunks_exact(self.value_size));
            all.extend(pairs.take(count).map(|(k, v)| (k.to_vec(), v.to_vec())));
            if end {
                return Ok(all);
            }
            std::mem::swap(&mut from, &mut to);
            first = false;
        }
    }

    /// Sets the words of an array from an index on, by `BPF_MAP_UPDATE_BATCH` where the kernel has it (5.6).
    ///
    /// # Errors
    /// The map has other values than words, or the call fails.
    pub fn update_array(&self, first: u32, words: &[u64]) -> io::Result<()> {
        check_size(&[0; size_of::<u64>()], self.value_size)?;
        check_size(&[0; size_of::<u32>()], self.key_size)?;
        let keys: Vec<u32> = (first..).take(words.len()).collect();
        let mut attr =
            Attr::new().input(16, &keys).input(24, words).u32(32, words.len() as u32).fd(36, self.fd);
        let batch = Feature::Batch.refuse_if_withheld(libc::EINVAL);
        // SAFETY: there are as many keys and values of this map's sizes as the block says; all are live.
        match batch.and_then(|()| unsafe { attr.call(Command::MapUpdateBatch) }) {
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => keys
                .iter()
                .zip(words)
                .try_for_each(|(key, word)| self.update(&key.to_ne_bytes(), &word.to_ne_bytes())),
            result => result.map(drop),
        }
    }

    fn check_key(&self, key: &[u8]) -> io::Result<()> {
        check_size(key, self.key_size)
    }
}

/// Flags of an update: whether there has to be an entry.
const BPF_ANY: u64 = 0;
const BPF_EXIST: u64 = 2;

/// Room for a batch: about so many bytes of values, within limits on their number.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_LEAST: usize = 64;
const BATCH_MOST: usize = 4096;

fn check_size(bytes: &[u8], want: usize) -> io::Result<()> {
    if bytes.len() == want {
        return Ok(());
    }
    let text = format!("{} bytes where the map has {want}", bytes.len());
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// `ENOENT` as `None`.
fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::privileged;
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_hash_map() {
        if !privileged("a_hash_map") {
            return;
        }
        let fd = map_create(1, 8, 16, 1000).unwrap();
        let map = Map::new(fd.as_fd()).unwrap();
        assert_eq!((map.key_size(), map.value_size(), map.max_entries()), (8, 16, 1000));
        assert_eq!(map.lookup(&[1; 8]).unwrap(), None);
        assert_eq!(map.next_key(None).unwrap(), None);
        for n in 0..900u64 {
            map.update(&n.to_ne_bytes(), &[n as u8; 16]).unwrap();
        }
        assert_eq!(map.lookup(&5u64.to_ne_bytes()).unwrap(), Some(vec![5; 16]));
        assert!(map.delete(&5u64.to_ne_bytes()).unwrap());
        assert!(!map.delete(&5u64.to_ne_bytes()).unwrap());
        assert!(!map.replace(&5u64.to_ne_bytes(), &[0; 16]).unwrap());
        assert!(map.replace(&6u64.to_ne_bytes(), &[6; 16]).unwrap());
        assert!(map.update(&[0; 8], &[0; 8]).is_err());
        assert!(map.lookup(&[0; 4]).is_err());
        let mut all = map.lookup_batch().unwrap();
        all.sort_by_key(|(k, _)| u64::from_ne_bytes(k.as_slice().try_into().unwrap()));
        assert_eq!(all.len(), 899);
        assert!(all.iter().all(|(k, v)| v[..] == [k[0]; 16]));
        let mut keys = 0;
        let mut key = map.next_key(None).unwrap();
        while let Some(k) = key {
            keys += 1;
            key = map.next_key(Some(&k)).unwrap();
        }
        assert_eq!(keys, 899);
    }

    #[test]
    fn words_of_an_array() {
        if !privileged("words_of_an_array") {
            return;
        }
        let fd = map_create(2, 4, 8, 100).unwrap();
        let map = Map::new(fd.as_fd()).unwrap();
        map.update_array(10, &[7, 8, 9]).unwrap();
        let word =
            |n: u32| u64::from_ne_bytes(map.lookup(&n.to_ne_bytes()).unwrap().unwrap().try_into().unwrap());
        assert_eq!([9, 10, 11, 12, 13].map(word), [0, 7, 8, 9, 0]);
        assert!(map.update_array(99, &[1, 2]).is_err());
        let small = map_create(2, 4, 4, 1).unwrap();
        assert!(Map::new(small.as_fd()).unwrap().update_array(0, &[1]).is_err());
    }

    #[test]
    fn a_map_with_a_value_per_cpu() {
        if !privileged("a_map_with_a_value_per_cpu") {
            return;
        }
        let fd = map_create(5, 8, 8, 1000).unwrap();
        let map = Map::new(fd.as_fd()).unwrap();
        let cpus = clock::possible_cpus().unwrap();
        assert_eq!(map.value_size(), 8 * cpus);
        map.update(&[3; 8], &vec![9; 8 * cpus]).unwrap();
        assert_eq!(map.lookup_batch().unwrap(), [(vec![3; 8], vec![9; 8 * cpus])]);
    }
}
