//! Keeps the last good configuration in the state directory, and the one before it.
//!
//! Beside them is the sequence of the oldest that may still be loaded: whoever puts older files in their place, as out
//! of a backup, is noticed.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use crate::saved::{self, Saved};

const CURRENT: &str = "configuration";
const PREVIOUS: &str = "configuration.previous";
const OLDEST: &str = "configuration.oldest";
const UNFINISHED: &str = "configuration.unfinished";
const LINKED: &str = "configuration.linked";

/// The state directory of one sidecar.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    directory: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The newest configuration that is whole and ours.
    pub(crate) saved: Option<Saved>,
    /// Files that were not loaded.
    pub(crate) refused: Vec<Refused>,
    /// The newest sequence that is known of; what is saved next comes after it.
    pub(crate) sequence: u64,
}

/// A file that was not loaded.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) file: &'static str,
    pub(crate) reason: String,
}

impl Disk {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// What there is of `instance`.
    ///
    /// A file that is no good is set aside, so that it never takes the place of a good one.
    pub(crate) fn load(&self, instance: &str) -> Found {
        let oldest = self.oldest();
        let mut found = Found {
            sequence: oldest,
            ..Found::default()
        };
        for file in [CURRENT, PREVIOUS] {
            match self.read(file, instance, oldest) {
                Ok(Some(saved)) if found.saved.is_none() || saved.sequence > found.sequence => {
                    found.sequence = saved.sequence;
                    found.saved = Some(saved);
                }
                Ok(_) => {}
                Err(reason) => found.refused.push(Refused { file, reason }),
            }
        }
        found
    }

    /// What a file holds, if it is there.
    fn read(&self, file: &str, instance: &str, oldest: u64) -> Result<Option<Saved>, String> {
        let bytes = match fs::read(self.directory.join(file)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let saved = saved::decode(&bytes, instance).and_then(|saved| saved.not_before(oldest));
        saved.map(Some).map_err(|fault| {
            self.set_aside(file);
            fault.to_string()
        })
    }

    /// Sequence of the oldest configuration that may be loaded; what cannot be read forbids nothing.
    fn oldest(&self) -> u64 {
        let text = fs::read_to_string(self.directory.join(OLDEST)).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    }

    fn set_aside(&self, file: &str) {
        let path = self.directory.join(file);
        let _ = fs::rename(&path, path.with_extension("refused")); // a read-only directory keeps it, and is read again
    }

    /// Puts `saved` in the place of the current file, which becomes the previous one; whole or not at all.
    pub(crate) fn save(&self, saved: &Saved) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        self.write(&saved::encode(saved))?;
        self.keep_current().or_else(absent_is_fine)?;
        self.rename(UNFINISHED, CURRENT)?;
        let before = saved.sequence.saturating_sub(1);
        let noted = self.write(before.to_string().as_bytes());
        let _ = noted.and_then(|()| self.rename(UNFINISHED, OLDEST)); // the one noted before forbids less
        File::open(&self.directory)?.sync_all()
    }

    /// Writes the unfinished file; a full disk gets its bytes back.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let path = self.directory.join(UNFINISHED);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.inspect_err(|_| drop(fs::remove_file(&path)))
    }

    /// Makes the current file the previous one as well, so that there is a current one at every moment; where files
    /// have one name only, it is moved.
    fn keep_current(&self) -> io::Result<()> {
        let linked = self.directory.join(LINKED);
        let _ = fs::remove_file(&linked); // of a save that was cut off
        fs::hard_link(self.directory.join(CURRENT), linked)
            .and_then(|()| self.rename(LINKED, PREVIOUS))
            .or_else(|_| self.rename(CURRENT, PREVIOUS))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))
    }
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

#[cfg(test)]
mod tests;
