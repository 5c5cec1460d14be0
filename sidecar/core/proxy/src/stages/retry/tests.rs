use policy::Percent;
use policy::budget::{Params, Rate};

use super::{parse_retry_after, share_of};

const SECOND_NS: u64 = 1_000_000_000;

fn floor(count: u64, per_ns: u64, live_callers: Option<u32>) -> Rate {
    let params = Params {
        percent: Percent::new(20),
        interval_ns: 10 * SECOND_NS,
        floor: Rate { count, per_ns },
    };
    share_of(&params, live_callers).floor
}

#[test]
fn the_floor_is_divided_over_live_callers_without_rounding() {
    let third = Rate {
        count: 10,
        per_ns: 3 * SECOND_NS,
    };
    assert_eq!(floor(10, SECOND_NS, Some(3)), third);
    assert_eq!(
        floor(10, SECOND_NS, Some(0)),
        Rate {
            count: 10,
            per_ns: SECOND_NS
        }
    );
}

#[test]
fn without_word_of_callers_it_is_the_smaller_of_one_a_second_and_all_of_it() {
    assert_eq!(
        floor(10, SECOND_NS, None),
        Rate {
            count: 1,
            per_ns: SECOND_NS
        }
    );
    assert_eq!(
        floor(1, 60 * SECOND_NS, None),
        Rate {
            count: 1,
            per_ns: 60 * SECOND_NS
        }
    );
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
const DATE_UNIX_NS: u64 = 784_111_777 * SECOND_NS;

fn wait_ns(field: &str, unix_ns: u64) -> Option<u64> {
    parse_retry_after(field.as_bytes(), unix_ns)
}

#[test]
fn retry_after_is_so_many_seconds_whatever_the_date() {
    assert_eq!(wait_ns("0", DATE_UNIX_NS), Some(0));
    assert_eq!(wait_ns("120", DATE_UNIX_NS), Some(120 * SECOND_NS));
    let beyond = "99999999999999999999";
    assert_eq!(wait_ns(beyond, DATE_UNIX_NS), Some(u64::MAX));
}

#[test]
fn retry_after_is_until_a_date_in_each_of_its_three_forms() {
    let before_ns = DATE_UNIX_NS - 90 * SECOND_NS - 1;
    for date in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(wait_ns(date, before_ns), Some(90 * SECOND_NS + 1), "{date}");
    }
}

#[test]
fn a_date_that_has_passed_and_what_is_neither_ask_for_no_wait() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(wait_ns(date, DATE_UNIX_NS), None);
    assert_eq!(wait_ns(date, DATE_UNIX_NS + 1), None);
    for field in ["", "-1", "+1", "1.5", "soon", "Sun, 06 Nov 1994"] {
        assert_eq!(wait_ns(field, 0), None, "{field}");
    }
}
