//! Spellings of a path, and the one they are matched by.

use std::borrow::Cow;

use http1::canonical_path;

#[test]
fn every_spelling_has_one_canonical_form() {
    let spellings: &[(&str, &str)] = &[
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/../../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/..", "/"),
        ("/%61%2D%5f%7E", "/a-_~"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%5cb%00", "/a%5Cb%00"),
        ("/%252e%252e/a", "/%252e%252e/a"),
        ("/a//b/../c", "/a//c"),
        ("/a//../b", "/a/b"),
        ("/a/..;/b", "/a/..;/b"),
        ("/a/...", "/a/..."),
        ("/a.b/.c", "/a.b/.c"),
        ("/%zz%4", "/%25zz%254"),
        ("/%4%41", "/%254A"),
        ("*", "*"),
        ("", ""),
    ];
    for (path, wanted) in spellings {
        let canonical = canonical_path(path.as_bytes());
        assert_eq!(String::from_utf8_lossy(&canonical), *wanted, "{path}");
    }
}

#[test]
fn a_canonical_path_is_not_copied() {
    for path in ["/", "/a/b.c/d", "/a//b", "*"] {
        assert!(
            matches!(canonical_path(path.as_bytes()), Cow::Borrowed(_)),
            "{path}"
        );
    }
}
