//! Faults of the state directory: full, read-only, corrupt, another's.

use std::os::unix::fs::symlink;

use super::*;

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("breakwater-disk-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn disk(&self) -> Disk {
        Disk::new(&self.0)
    }

    fn save(&self, sequence: u64) {
        self.disk().save(&saved(sequence)).unwrap();
    }

    fn load(&self) -> Option<u64> {
        self.disk().load("cart-1").saved.map(|saved| saved.sequence)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn saved(sequence: u64) -> Saved {
    Saved {
        instance: "cart-1".to_owned(),
        sequence,
        ..Saved::default()
    }
}

#[test]
fn an_absent_directory_loads_nothing() {
    assert_eq!(Directory::new("absent").load(), None);
}

#[test]
fn the_newest_is_loaded() {
    let directory = Directory::new("newest");
    directory.save(1);
    directory.save(2);
    assert_eq!(directory.load(), Some(2));
}

#[test]
fn a_corrupt_file_gives_way_to_the_previous_one_and_never_replaces_it() {
    let directory = Directory::new("corrupt");
    directory.save(1);
    directory.save(2);
    fs::write(directory.0.join(CURRENT), b"breakwater").unwrap();
    let found = directory.disk().load("cart-1");
    assert_eq!(found.refused.len(), 1);
    assert_eq!(found.saved.map(|saved| saved.sequence), Some(1));
    directory.save(found.sequence + 1);
    fs::write(directory.0.join(CURRENT), b"").unwrap();
    assert_eq!(directory.load(), Some(1));
}

#[test]
fn an_older_file_in_the_current_ones_place_is_not_loaded() {
    let directory = Directory::new("older");
    directory.save(1);
    let old = fs::read(directory.0.join(CURRENT)).unwrap();
    directory.save(2);
    directory.save(3);
    fs::write(directory.0.join(CURRENT), old).unwrap();
    assert_eq!(directory.load(), Some(2));
}

#[test]
fn another_instances_configuration_is_not_loaded() {
    let directory = Directory::new("instance");
    directory.save(1);
    assert!(directory.disk().load("cart-2").saved.is_none());
}

#[test]
fn a_full_disk_keeps_the_last_good_configuration() {
    let directory = Directory::new("full");
    directory.save(1);
    symlink("/dev/full", directory.0.join(UNFINISHED)).unwrap();
    assert!(directory.disk().save(&saved(2)).is_err());
    assert_eq!(directory.load(), Some(1));
}

#[test]
fn there_is_a_current_file_at_every_moment_of_a_save() {
    let directory = Directory::new("moment");
    directory.save(1);
    directory.save(2);
    directory.disk().keep_current().unwrap(); // a save that is cut off here
    assert_eq!(directory.load(), Some(2));
    assert!(directory.0.join(CURRENT).exists());
    directory.save(3);
    assert_eq!(directory.load(), Some(3));
}

#[test]
fn files_from_before_both_generations_are_not_loaded() {
    let directory = Directory::new("backup");
    directory.save(1);
    let old = fs::read(directory.0.join(CURRENT)).unwrap();
    directory.save(2);
    directory.save(3);
    for file in [CURRENT, PREVIOUS] {
        fs::write(directory.0.join(file), &old).unwrap();
    }
    let found = directory.disk().load("cart-1");
    assert!(found.saved.is_none());
    assert_eq!((found.refused.len(), found.sequence), (2, 2));
    directory.save(found.sequence + 1);
    assert_eq!(directory.load(), Some(3));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let directory = Directory::new("unreadable");
    fs::create_dir_all(directory.0.join(CURRENT)).unwrap();
    assert_eq!(directory.disk().load("cart-1").refused.len(), 1);
}
