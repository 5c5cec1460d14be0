use super::{give_back_start, resident_bytes, unwritten};

const MAPS: &str = "\
1000-3000 r-xp 00000000 fd:00 7    /usr/lib/libpython.so
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
3000-4000 r--p 00002000 fd:00 7    /usr/lib/libpython.so
Anonymous:             4 kB
4000-5000 r--p 00003000 fd:00 7    /usr/lib/libpython.so
Anonymous:             0 kB
5000-6000 rw-p 00004000 fd:00 7    /usr/lib/libpython.so
Anonymous:             0 kB
6000-7000 r--p 00000000 00:00 0
Anonymous:             0 kB
7000-8000 r--s 00000000 fd:00 8    /usr/lib/cache
Anonymous:             0 kB
8000-9000 r-xp 00000000 00:00 0    [vdso]
Anonymous:             0 kB
";

#[test]
fn only_what_is_a_files_and_was_never_written_is_given_back() {
    let found: Vec<_> = unwritten(MAPS).collect();
    assert_eq!(found, [0x1000..0x3000, 0x4000..0x5000]);
}

#[test]
fn whoever_gave_back_goes_on() {
    give_back_start();
    assert!(resident_bytes() > 0);
}
