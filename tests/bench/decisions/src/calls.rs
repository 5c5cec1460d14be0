//! What is decided about a call and its attempts: deadline, route, endpoint, retry, hedge; and what results change.

use std::borrow::Cow;
use std::hint::black_box;

use policy::backoff::Multiplier;
use policy::balancer::hash::{Maglev, Ring, Table};
use policy::balancer::{Load, cheaper, two_of};
use policy::breaker::State;
use policy::budget::{self, Budget};
use policy::deadline::{Bounds, Deadline};
use policy::ending::{Ending, default_failures};
use policy::health_check::{self, Probes};
use policy::instance_groups::{Overflow, Size};
use policy::method::Method;
use policy::outlier::{self, Detector, Record, Signal};
use policy::retry::{self, Attempt, Backoff, Decision, Progress, Request, Strategy};
use policy::route::{self, Matcher, Path, Rule};
use policy::split::Turns;
use policy::{Percent, hedge};

use crate::measure::Case;
use crate::time::{SECOND_NS, draw, instant};

pub fn cases() -> Vec<Case> {
    let names: Vec<String> = (0..10).map(|number| format!("cart-{number}")).collect();
    let weighted: Vec<(&str, u32)> = names.iter().map(|name| (&**name, 1)).collect();
    let (ring, maglev) = (Ring::new(&weighted), Maglev::new(&weighted));
    vec![
        deadline("deadline, fixed and handed on"),
        routed("route, the tenth of ten rules"),
        split("weighted split of three"),
        ewma("peak-EWMA, picked, begun and ended"),
        hashed("ring hash", Table::Ring(ring)),
        hashed("maglev", Table::Maglev(maglev)),
        groups("instance groups, whom a request reaches"),
        retry("retry, an answer that is delivered", 200),
        retry("retry, an answer that is tried again", 503),
        hedged("hedge, paid for"),
        outliers("outlier detection, a result"),
        probed("health check, a result"),
    ]
}

fn deadline(name: &'static str) -> Case {
    Case::new(name, || {
        let bounds = Bounds {
            policy_ns: Some(15 * SECOND_NS),
            carried_ns: Some(2 * SECOND_NS),
            grpc_ns: None,
        };
        move |number| {
            let now_ns = instant(number);
            let fixed = Deadline::fix(black_box(&bounds), now_ns);
            fixed.is_ok_and(|fixed| fixed.is_some_and(|fixed| fixed.handed_on_ms(now_ns) > 0))
        }
    })
}

/// A request as routes see it.
struct Head;

impl route::Request for Head {
    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn path(&self) -> &[u8] {
        b"/rule-9/cart"
    }

    fn header(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn query(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
}

fn routed(name: &'static str) -> Case {
    Case::new(name, || {
        let rule = |number: u32| Rule {
            created_ns: None,
            route: "shop/cart".into(),
            matches: vec![Matcher {
                path: Some(Path::Prefix(format!("/rule-{number}").into_bytes().into())),
                ..Matcher::default()
            }],
        };
        let table = route::Table::new(&(0..10).map(rule).collect::<Vec<_>>());
        move |_| black_box(&table).find(&Head) == Some(9)
    })
}

fn split(name: &'static str) -> Case {
    Case::new(name, || {
        let (mut turns, weights) = (Turns::default(), [90, 9, 1]);
        move |_| turns.next(3, |place| weights[place]).is_some()
    })
}

fn ewma(name: &'static str) -> Case {
    Case::new(name, || {
        let mut loads = [Load::new(0); 10];
        move |number| {
            let now_ns = instant(number);
            let cost = |endpoint: u32| loads[endpoint as usize].cost(now_ns, 1);
            let Some(pair) = two_of(loads.len() as u32, draw(number)) else {
                return false;
            };
            let (endpoint, _) = cheaper(pair, None, cost);
            let load = &mut loads[endpoint as usize];
            load.begin();
            load.end(1_000_000, now_ns);
            true
        }
    })
}

fn hashed(name: &'static str, table: Table) -> Case {
    Case::new(name, move || {
        let table = table.clone();
        move |number| black_box(&table).walk(draw(number)).next().is_some()
    })
}

fn groups(name: &'static str) -> Case {
    Case::new(name, || {
        let sizes = [Size { ready: 0, total: 3 }, Size { ready: 5, total: 5 }];
        move |_| Overflow::WhenEmpty.reach(black_box(&sizes), 0).count() == 2
    })
}

fn params() -> retry::Params {
    retry::Params {
        attempts: 2,
        when: default_failures(),
        methods: [Method::Get].into_iter().collect(),
        backoff: Backoff {
            strategy: Strategy::FullJitter,
            base_ns: 25_000_000,
            multiplier: Multiplier::from_thousandths(2_000),
            max_ns: 250_000_000,
            jitter_ns: 0,
        },
        replay_bytes: 65_536,
        honor_retry_after: true,
    }
}

/// A budget that every retry is covered by.
fn budget() -> Budget {
    Budget::new(budget::Params {
        percent: Percent::new(100),
        interval_ns: 10 * SECOND_NS,
        floor: budget::Rate {
            count: 1_000_000,
            per_ns: SECOND_NS,
        },
    })
}

fn retry(name: &'static str, status: u16) -> Case {
    Case::new(name, move || {
        let (params, mut budget) = (params(), budget());
        let request = Request {
            method: Method::Get,
            is_idempotent: false,
            body_bytes: 0,
        };
        let attempt = Attempt {
            ending: Ending::Response { status, code: None },
            is_passed_on: false,
            is_exhausted: false,
            retry_after_ns: None,
            pushback: None,
        };
        move |number| {
            let progress = Progress {
                retries: 0,
                previous_delay_ns: None,
                left_ns: Some(SECOND_NS),
                p50_ns: Some(1_000_000),
                has_another_endpoint: true,
                now_ns: instant(number),
            };
            let attempt = black_box(&attempt);
            let decision = params.decide(&request, attempt, &progress, &mut budget, draw(number));
            if let Decision::Retry { spent, .. } = decision {
                budget.refund(spent);
            }
            true
        }
    })
}

fn hedged(name: &'static str) -> Case {
    Case::new(name, || {
        let mut budget = budget();
        move |number| {
            let spent = hedge::pay([State::Closed, State::Closed], &mut budget, instant(number));
            let is_paid = spent.is_some();
            spent.into_iter().for_each(|spent| budget.refund(spent));
            is_paid
        }
    })
}

fn outliers(name: &'static str) -> Case {
    Case::new(name, || {
        let params = outlier::Params {
            interval_ns: 10 * SECOND_NS,
            consecutive_failures: Some(5),
            consecutive_gateway_failures: Some(5),
            connect_failures: Some(5),
            success_rate: None,
            failure_percentage: None,
            latency: Some(outlier::Latency {
                factor: 3.0,
                sweeps: 3,
                minimum_samples: 20,
            }),
            base_ns: 30 * SECOND_NS,
            max_ns: 300 * SECOND_NS,
        };
        let (detector, mut record) = (Detector::new(params, 0), Record::default());
        move |number| {
            let ejected =
                detector.on_result(&mut record, Signal::Success, 1_000_000, instant(number));
            ejected.is_none()
        }
    })
}

fn probed(name: &'static str) -> Case {
    Case::new(name, || {
        let params = health_check::Params {
            interval_ns: 10 * SECOND_NS,
            unhealthy_after: 3,
            healthy_after: 2,
        };
        let mut probes = Probes::new(&params, 0, 0);
        move |number| {
            let _changed =
                probes.on_result(black_box(&params), true, instant(number), draw(number));
            true
        }
    })
}
