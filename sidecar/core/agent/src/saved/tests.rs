//! What is loaded, and what never is.

use super::*;

fn saved() -> Saved {
    Saved {
        instance: "cart-1".to_owned(),
        sequence: 7,
        revision: 3,
        ..Saved::default()
    }
}

#[test]
fn a_file_gives_back_what_was_saved() {
    assert_eq!(decode(&encode(&saved()), "cart-1"), Ok(saved()));
}

#[test]
fn no_truncated_file_is_loaded() {
    let file = encode(&saved());
    for length in 0..file.len() {
        assert!(decode(&file[..length], "cart-1").is_err(), "{length} bytes");
    }
}

#[test]
fn no_file_with_a_flipped_bit_is_loaded() {
    let file = encode(&saved());
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped, "cart-1").is_err(), "bit {bit}");
    }
}

#[test]
fn another_format_is_not_loaded() {
    let mut file = encode(&saved());
    file[MAGIC.len()] = FORMAT + 1;
    assert_eq!(decode(&file, "cart-1"), Err(Fault::Format));
}

#[test]
fn another_instances_file_is_not_loaded() {
    assert_eq!(decode(&encode(&saved()), "cart-2"), Err(Fault::Instance));
}
