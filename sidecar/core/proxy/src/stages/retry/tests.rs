use policy::Percent;
use policy::budget::{Params, Rate};

use super::share_of;

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
