use policy::Percent;

use super::{field, own_path, quota, some_avg10};

#[test]
fn the_line_of_version_2_says_where_a_process_is() {
    assert_eq!(own_path("4:memory:/old\n0::/pod/app\n"), "/pod/app");
    assert_eq!(own_path("4:memory:/old\n"), "");
}

#[test]
fn a_field_is_found_by_its_whole_name() {
    let text = "user_usec 1\nusage_usec 77\nusage 3\n";
    assert_eq!(field(text, "usage_usec"), Some(77));
    assert_eq!(field(text, "usage_"), None);
    assert_eq!(field("MemTotal:       1024 kB\n", "MemTotal:"), Some(1024));
}

#[test]
fn without_a_limit_there_is_no_quota() {
    assert_eq!(quota("50000 100000\n"), Some((50_000, 100_000)));
    assert_eq!(quota("max 100000\n"), None);
    assert_eq!(quota("1 0\n"), None);
}

#[test]
fn pressure_is_that_of_the_last_ten_seconds() {
    let text = "some avg10=12.34 avg60=1.00 avg300=0.00 total=9\nfull avg10=99.00 avg60=0.00\n";
    assert_eq!(some_avg10(text), Some(Percent::from_millionths(123_400)));
    assert_eq!(some_avg10("full avg10=1.00\n"), None);
}
