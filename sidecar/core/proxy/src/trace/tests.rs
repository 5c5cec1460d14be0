use super::{Trace, hex, parse};

const HEADER: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const ID: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

#[test]
fn a_traceparent_is_read_to_the_letter() {
    assert_eq!(parse(HEADER), Some((ID, 0xb7ad_6b71_6920_3331)));
}

#[test]
fn what_is_no_traceparent_is_not_read() {
    let upper = HEADER.to_ascii_uppercase();
    let zero_id = b"00-00000000000000000000000000000000-b7ad6b7169203331-01";
    let zero_span = b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
    let version_ff = b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut longer = HEADER.to_vec();
    longer.extend_from_slice(b"-more");
    for header in [
        &upper[..],
        zero_id,
        zero_span,
        version_ff,
        &longer,
        b"",
        &HEADER[..54],
    ] {
        assert_eq!(parse(header), None, "{}", String::from_utf8_lossy(header));
    }
}

#[test]
fn a_later_version_may_be_longer() {
    let later = b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
    assert_eq!(parse(later), Some((ID, 0xb7ad_6b71_6920_3331)));
}

#[test]
fn what_is_written_can_be_read() {
    let trace = Trace {
        id: ID,
        span: 7,
        is_begun: true,
        new_request_id: None,
    };
    assert_eq!(parse(&trace.header()), Some((ID, 7)));
    assert_eq!(&hex(ID), b"0af7651916cd43dd8448eb211c80319c");
}
