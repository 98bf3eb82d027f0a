//! `skboutput()`: packets in files of the format that tcpdump and wireshark read (pcap, with times in nanoseconds; IETF
//! draft-ietf-opsawg-pcap). Called by [`super::records`].

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

/// Magic number of files with nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
/// `LINKTYPE_RAW`: packets begin with their IP header.
const LINK_TYPE: u32 = 101;
/// The greatest length that a reader should expect.
const SNAP_LENGTH: u32 = 1 << 18;

/// The files that packets are written to.
#[derive(Debug, Default)]
pub(super) struct Packets(HashMap<Arc<str>, BufWriter<File>>);

impl Packets {
    /// Writes a packet of `whole` bytes, of which `bytes` were copied, at a time since 1970. A file is made anew when its first packet
    /// comes.
    ///
    /// # Errors
    /// The file cannot be written: a sentence.
    pub(super) fn write(
        &mut self,
        file: &Arc<str>,
        unix_nanos: i128,
        whole: u64,
        bytes: &[u8],
    ) -> Result<(), String> {
        let told = |e: io::Error| format!("skboutput: {file}: {e}");
        if !self.0.contains_key(file) {
            let mut out = BufWriter::new(File::create(&**file).map_err(told)?);
            out.write_all(&header()).map_err(told)?;
            self.0.insert(Arc::clone(file), out);
        }
        let Some(out) = self.0.get_mut(file) else { return Ok(()) };
        out.write_all(&packet(unix_nanos, whole, bytes)).and_then(|()| out.flush()).map_err(told)
    }
}

fn header() -> Vec<u8> {
    // Version 2.4, then the distance to UTC and the accuracy of times, which are always 0.
    let words = [MAGIC, 2 | 4 << 16, 0, 0, SNAP_LENGTH, LINK_TYPE];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn packet(unix_nanos: i128, whole: u64, bytes: &[u8]) -> Vec<u8> {
    const SECOND: i128 = 1_000_000_000;
    let kept = bytes.len() as u32;
    let whole = u32::try_from(whole).unwrap_or(u32::MAX).max(kept);
    let words = [unix_nanos.div_euclid(SECOND) as u32, unix_nanos.rem_euclid(SECOND) as u32, kept, whole];
    words.iter().flat_map(|word| word.to_le_bytes()).chain(bytes.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_header_and_its_packets() {
        let path = std::env::temp_dir().join(format!("gotrace-packets-{}", std::process::id()));
        let name: Arc<str> = path.to_string_lossy().into();
        let mut packets = Packets::default();
        assert_eq!(packets.write(&name, 1_500_000_007, 60, b"abc"), Ok(()));
        assert_eq!(packets.write(&name, 2_000_000_000, 1, b"d"), Ok(()));
        let written = std::fs::read(&path).unwrap_or_default();
        let _ = std::fs::remove_file(&path);
        assert_eq!(written.len(), 24 + 16 + 3 + 16 + 1);
        let word =
            |at: usize| written.get(at..at + 4).and_then(|w| w.first_chunk()).map(|w| u32::from_le_bytes(*w));
        assert_eq!([word(0), word(20)], [Some(MAGIC), Some(LINK_TYPE)]);
        assert_eq!([word(24), word(28), word(32), word(36)], [Some(1), Some(500_000_007), Some(3), Some(60)]);
        assert!(
            packets
                .write(&"/nowhere/x".into(), 0, 0, b"")
                .is_err_and(|e| e.starts_with("skboutput: /nowhere/x: "))
        );
    }
}
