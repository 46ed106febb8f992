//! Two files of bounded size: the one that is written, and the one before it (`FILE.1`).

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::member;

/// The file that is written, and how it is bounded.
#[derive(Debug)]
pub(super) struct Rotation {
    path: PathBuf,
    max_bytes: u64,
    open: Option<Open>,
    /// Whether the head of this run is in the file that is written.
    has_head: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
}

impl Rotation {
    /// Nothing is opened before the first write.
    pub fn new(path: PathBuf, max_bytes: u64) -> Self {
        Self { path, max_bytes, open: None, has_head: false }
    }

    /// Appends a member, and the head before it where the file does not have it yet. Starts a new file when this one would
    /// become too large.
    ///
    /// # Errors
    /// When it cannot be written; what was written of it is taken back, so that the next one can be tried.
    pub fn append(&mut self, head: &[u8], member: &[u8]) -> io::Result<()> {
        self.ready()?;
        let length = |has_head: bool| (member.len() + if has_head { 0 } else { head.len() }) as u64;
        if length(false) > self.max_bytes {
            return Err(io::Error::other("a single batch is larger than max_bytes"));
        }
        if self.size() + length(self.has_head) > self.max_bytes {
            self.rotate()?;
        }
        let bytes = if self.has_head { member.to_vec() } else { [head, member].concat() };
        let Some(open) = &mut self.open else { return Ok(()) };
        let written = open.file.write_all(&bytes).and_then(|()| open.file.sync_data());
        if let Err(error) = written {
            if open.file.set_len(open.size).is_err() {
                // It is mended when it is opened again.
                self.open = None;
            }
            return Err(error);
        }
        open.size += bytes.len() as u64;
        self.has_head = true;
        Ok(())
    }

    fn size(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.size)
    }

    /// Opens the file, without the torn member that a power cut may have left at its end.
    fn ready(&mut self) -> io::Result<()> {
        if self.open.is_some() {
            return Ok(());
        }
        let mut file = open(&self.path)?;
        let size = whole(&mut file, &self.path)?;
        file.set_len(size)?;
        self.open = Some(Open { file, size });
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let before = before(&self.path);
        match File::open(&before) {
            Ok(mut file) => whole(&mut file, &before).map(|_| ())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.open = None;
        fs::rename(&self.path, &before)?;
        self.has_head = false;
        self.ready()
    }
}

/// Name of the file before.
pub(super) fn before(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)
}

/// Where its last whole member ends. A file that is not ours is not touched.
fn whole(file: &mut File, path: &Path) -> io::Result<u64> {
    let found = member::end_of_whole(file)?;
    found.ok_or_else(|| io::Error::other(format!("{} is no recording, and is left alone", path.display())))
}
