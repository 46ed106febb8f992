//! A batch as a member of a gzip file (RFC 1952) that tells its own size, so that whole members are told from a torn one
//! without unpacking them.

use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::{Compression, GzBuilder};

/// Beginning of every member: gzip, deflate, an extra field of 8 bytes, no time, made on Unix. `flate2` writes the level
/// into the byte before the last.
const MAGIC: [u8; 4] = [0x1f, 0x8b, 8, 4];

/// Our extra field: its two letters, and four bytes of size.
const SUBFIELD: [u8; 4] = [b'P', b'W', 4, 0];

/// Where the size stands, from the beginning of the member.
const SIZE_AT: usize = 16;

/// Bytes of a member's beginning, up to the end of its size.
const BEGINNING: usize = 20;

/// Packs a text.
///
/// # Errors
/// When it is too large to tell its size.
pub(super) fn pack(text: &str) -> io::Result<Vec<u8>> {
    let extra = [SUBFIELD, [0; 4]].concat();
    let mut encoder = GzBuilder::new().extra(extra).write(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    let mut member = encoder.finish()?;
    let size = u32::try_from(member.len()).map_err(io::Error::other)?;
    if let Some(place) = member.get_mut(SIZE_AT..BEGINNING) {
        place.copy_from_slice(&size.to_le_bytes());
    }
    Ok(member)
}

/// Where the last whole member of a file ends. None when the file does not begin with a member of ours.
///
/// # Errors
/// When it cannot be read.
pub(super) fn end_of_whole(file: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut end = 0;
    while end < length {
        file.seek(SeekFrom::Start(end))?;
        let mut beginning = [0; BEGINNING];
        let mut read = 0;
        while let Some(rest) = beginning.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read(rest)? {
                0 => break,
                count => read += count,
            }
        }
        let Some(size) = size_of(&beginning).filter(|_| read == BEGINNING) else {
            // A file that a power cut left with less than one member is still ours to mend.
            let torn_at_once = end == 0 && beginning.get(..read).is_some_and(is_beginning_of_ours);
            return Ok((end > 0 || torn_at_once).then_some(end));
        };
        if end + u64::from(size) > length {
            break;
        }
        end += u64::from(size);
    }
    Ok(Some(end))
}

fn size_of(beginning: &[u8; BEGINNING]) -> Option<u32> {
    let ours = beginning.starts_with(&MAGIC) && beginning.get(12..SIZE_AT) == Some(&SUBFIELD);
    let size: [u8; 4] = beginning.get(SIZE_AT..)?.try_into().ok()?;
    Some(u32::from_le_bytes(size)).filter(|size| ours && *size as usize > BEGINNING)
}

fn is_beginning_of_ours(bytes: &[u8]) -> bool {
    bytes.len() < BEGINNING && bytes.iter().zip(MAGIC).all(|(byte, ours)| *byte == ours)
}
