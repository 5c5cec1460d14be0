use super::{Sampling, TraceParent, hex};
use crate::Percent;

const HEADER: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PARENT: TraceParent = TraceParent {
    trace: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
    span: 0xb7ad_6b71_6920_3331,
    is_sampled: true,
};

#[test]
fn a_traceparent_is_read_and_written_to_the_letter() {
    assert_eq!(TraceParent::parse(HEADER), Some(PARENT));
    assert_eq!(PARENT.header(), HEADER);
    assert_eq!(&hex(PARENT.trace), b"0af7651916cd43dd8448eb211c80319c");
}

#[test]
fn what_is_no_traceparent_is_not_read() {
    let mut longer = HEADER.to_vec();
    longer.extend_from_slice(b"-more");
    for header in [
        &HEADER.to_ascii_uppercase()[..],
        b"00-00000000000000000000000000000000-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
        b"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        &longer,
        b"",
        &HEADER[..54],
    ] {
        let shown = String::from_utf8_lossy(header);
        assert_eq!(TraceParent::parse(header), None, "{shown}");
    }
}

#[test]
fn a_later_version_may_be_longer() {
    for later in [
        &b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"[..],
        b"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    ] {
        assert_eq!(TraceParent::parse(later), Some(PARENT));
    }
}

#[test]
fn of_the_flags_only_the_last_says_something() {
    for (flags, is_sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
        let text = String::from_utf8_lossy(&HEADER[..53]) + flags;
        let parent = TraceParent::parse(text.as_bytes());
        assert_eq!(
            parent,
            Some(TraceParent {
                is_sampled,
                ..PARENT
            })
        );
    }
}

#[test]
fn all_none_or_a_part_of_the_traces_is_recorded() {
    let least = 1 << 64;
    let most = (1 << 56) - 1;
    let (all, none) = (
        Sampling::new(Percent::new(100)),
        Sampling::new(Percent::new(0)),
    );
    assert!(all.takes(least) && all.takes(most));
    assert!(!none.takes(least) && !none.takes(most));
    let quarter = Sampling::new(Percent::new(25));
    assert!(quarter.takes(3 << 54) && !quarter.takes((3 << 54) - 1));
}
