//! Which descriptors a connection may keep.

use std::os::fd::RawFd;

use super::*;

struct Numbered(RawFd);

impl AsRawFd for Numbered {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

#[test]
fn a_connection_keeps_its_descriptor_below_the_bound() {
    let descriptors = Descriptors::new(224);
    assert!(descriptors.admit(&Numbered(223)));
    assert!(!descriptors.admit(&Numbered(224)));
    assert_eq!(descriptors.missed(), 0);
}
