//! Keeps the last good configuration in the state directory, and the one before it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::saved::{self, Fault, Saved};

const CURRENT: &str = "configuration";
const PREVIOUS: &str = "configuration.previous";
const UNFINISHED: &str = "configuration.unfinished";
const LINKED: &str = "configuration.linked";

/// The state directory of one sidecar.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    directory: PathBuf,
}

/// A file that was not loaded.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) file: &'static str,
    pub(crate) fault: Fault,
}

impl Disk {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The newest configuration of `instance` that is whole, and the files that were refused.
    ///
    /// A refused file is set aside, so that it never takes the place of a good one.
    pub(crate) fn load(&self, instance: &str) -> (Option<Saved>, Vec<Refused>) {
        let (mut newest, mut refused): (Option<Saved>, _) = (None, Vec::new());
        for file in [CURRENT, PREVIOUS] {
            let Ok(bytes) = fs::read(self.directory.join(file)) else {
                continue;
            };
            match saved::decode(&bytes, instance) {
                Ok(found)
                    if newest
                        .as_ref()
                        .is_none_or(|held| held.sequence < found.sequence) =>
                {
                    newest = Some(found)
                }
                Ok(_) => {}
                Err(fault) => {
                    self.set_aside(file);
                    refused.push(Refused { file, fault });
                }
            }
        }
        (newest, refused)
    }

    fn set_aside(&self, file: &str) {
        let path = self.directory.join(file);
        let _ = fs::rename(&path, path.with_extension("refused")); // a read-only directory keeps it, and is read again
    }

    /// Puts `saved` in the place of the current file, which becomes the previous one; whole or not at all.
    pub(crate) fn save(&self, saved: &Saved) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let unfinished = self.directory.join(UNFINISHED);
        if let Err(error) = write_through(&unfinished, &saved::encode(saved)) {
            let _ = fs::remove_file(&unfinished); // a full disk gets its bytes back
            return Err(error);
        }
        self.keep_current().or_else(absent_is_fine)?;
        self.rename(UNFINISHED, CURRENT)?;
        File::open(&self.directory)?.sync_all()
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

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

#[cfg(test)]
mod tests;
