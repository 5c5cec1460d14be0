//! The folds against one byte after the other.

use super::{equals, find, is_text, is_text_byte};

/// Every byte at every place of less than a block, of one, and of two with what is left over.
#[test]
fn text_is_what_holds_no_control_byte_anywhere() {
    for len in (1..=18).chain(31..=34) {
        for place in 0..len {
            for byte in 0..=255 {
                let mut text = vec![b'a'; len];
                text[place] = byte;
                assert_eq!(
                    is_text(&text),
                    is_text_byte(byte),
                    "{byte:#x} at {place} of {len}"
                );
            }
        }
    }
    assert!(is_text(b""));
}

/// The first of two at every pair of places, among bytes that differ from it in one bit.
#[test]
fn the_first_of_the_wanted_bytes_is_found_at_every_place() {
    for len in 0..=24 {
        assert_eq!(find(&vec![b';'; len], b':'), None);
        for place in 0..len {
            for second in place..len {
                let mut bytes = vec![b';'; len];
                (bytes[place], bytes[second]) = (b':', b':');
                assert_eq!(find(&bytes, b':'), Some(place), "{second} of {len}");
            }
        }
    }
}

#[test]
fn tabs_do_not_hide_the_control_bytes_behind_them() {
    assert!(is_text(b"a\tb\tc\td\te"));
    assert!(!is_text(b"a\tb\tc\td\r"));
    assert!(!is_text(b"\t\t\t\t\t\t\t\x7f1234"));
}

/// Each byte of names of every length is replaced by every other: only the other case is equal.
#[test]
fn names_are_equal_in_any_case_and_in_nothing_else() {
    let name = b"x-forwarded-http2-settings";
    for len in 0..=name.len() {
        let name = &name[..len];
        assert!(equals(&name.to_ascii_uppercase(), name));
        assert!(!equals(&[name, b"x"].concat(), name));
        for place in 0..len {
            for byte in 0..=255 {
                let mut other = name.to_vec();
                other[place] = byte;
                assert_eq!(equals(&other, name), other.eq_ignore_ascii_case(name));
            }
        }
    }
}
