use super::*;

#[test]
fn a_status_is_expected_by_number_or_class() {
    for (word, status, is_meant) in [
        ("2xx", b"204", true),
        ("200", b"200", true),
        ("200", b"204", false),
        ("3xx", b"204", false),
    ] {
        assert_eq!(is_expected(word, *status), is_meant, "{word}");
    }
}

#[test]
fn a_question_names_the_service() {
    assert_eq!(question("").unwrap()[..], [0, 0, 0, 0, 0]);
    assert_eq!(
        question("a.B").unwrap()[..],
        [0, 0, 0, 0, 5, 0x0A, 3, b'a', b'.', b'B']
    );
    assert_eq!(question(&"a".repeat(200)), None);
}
