//! Bounds-checked little-endian reads from untrusted bytes. Every parser of the crate goes through these;
//! none of them can panic, and a read beyond the end is `None`.

/// `N` bytes at `at`.
pub(crate) fn array<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..)?.first_chunk::<N>().copied()
}

pub(crate) fn u8(data: &[u8], at: usize) -> Option<u8> {
    data.get(at).copied()
}

pub(crate) fn u16(data: &[u8], at: usize) -> Option<u16> {
    array(data, at).map(u16::from_le_bytes)
}

pub(crate) fn u32(data: &[u8], at: usize) -> Option<u32> {
    array(data, at).map(u32::from_le_bytes)
}

pub(crate) fn i32(data: &[u8], at: usize) -> Option<i32> {
    array(data, at).map(i32::from_le_bytes)
}

pub(crate) fn u64(data: &[u8], at: usize) -> Option<u64> {
    array(data, at).map(u64::from_le_bytes)
}

/// The NUL-terminated bytes at `at`, without the NUL; `None` when the terminator is missing.
pub(crate) fn c_bytes(data: &[u8], at: usize) -> Option<&[u8]> {
    let tail = data.get(at..)?;
    let end = tail.iter().position(|&b| b == 0)?;
    tail.get(..end)
}

/// The NUL-terminated UTF-8 text at `at`.
pub(crate) fn c_str(data: &[u8], at: usize) -> Option<&str> {
    std::str::from_utf8(c_bytes(data, at)?).ok()
}

/// Whether the NUL-terminated bytes at `at` are exactly `text`: cheaper than reading the string first,
/// because most comparisons of a search end at the first byte.
pub(crate) fn c_str_is(data: &[u8], at: usize, text: &[u8]) -> bool {
    data.get(at..).and_then(|tail| tail.strip_prefix(text)).and_then(|rest| rest.first()) == Some(&0)
}

/// An unsigned LEB128 number of at most 64 bits, and the position after it (Go's `binary.Uvarint`).
pub(crate) fn uvarint(data: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *data.get(at)?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

/// A file or table offset as an index; `None` where it does not fit.
pub(crate) fn index(offset: u64) -> Option<usize> {
    usize::try_from(offset).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_end_at_the_end() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(u64(&data, 0), Some(0x0807_0605_0403_0201));
        assert_eq!(u64(&data, 1), None);
        assert_eq!(u32(&data, 4), Some(0x0807_0605));
        assert_eq!(u32(&data, usize::MAX), None);
        assert_eq!(u16(&data, 7), None);
        assert_eq!(u8(&data, 8), None);
    }

    #[test]
    fn strings_need_their_terminator() {
        let data = b"one\0two";
        assert_eq!(c_str(data, 0), Some("one"));
        assert_eq!(c_str(data, 3), Some(""));
        assert_eq!(c_str(data, 4), None);
        assert!(c_str_is(data, 0, b"one"));
        assert!(!c_str_is(data, 0, b"on"));
        assert!(!c_str_is(data, 4, b"two"));
    }

    #[test]
    fn varints() {
        assert_eq!(uvarint(&[0x05], 0), Some((5, 1)));
        assert_eq!(uvarint(&[0xac, 0x02], 0), Some((300, 2)));
        assert_eq!(uvarint(&[0x80], 0), None);
        assert_eq!(uvarint(&[0xff; 16], 0), None);
    }
}
