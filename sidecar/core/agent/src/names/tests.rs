//! Lookups, their outcomes and time: what names lead to.

use std::time::Duration;

use super::*;

const A_SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(60);
/// The draw that spreads least.
const LEAST: f64 = 0.0;

/// One host that is asked for, and the time.
struct Stage {
    names: Names,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        Self::with(Names::default(), &["bank.example"])
    }

    fn with(mut names: Names, hosts: &[&str]) -> Self {
        let now = Instant::now();
        names.want(&set(hosts), now);
        Self { names, now }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn take_due(&mut self) -> Vec<Query> {
        self.names.take_due(self.now)
    }

    fn answer(&mut self, family: Family, answer: Answer) -> bool {
        self.names
            .answered(&query("bank.example", family), answer, self.now, LEAST)
    }

    /// Makes the lookups that are due, all with this outcome; what is found is found by the first.
    fn look(&mut self, answer: &Answer) {
        for query in self.take_due() {
            let answer = match (query.family, answer) {
                (Family::V6, Ok(_)) => Err(Failure::Empty),
                _ => answer.clone(),
            };
            self.names.answered(&query, answer, self.now, LEAST);
        }
    }

    fn addresses(&self) -> Vec<String> {
        let addresses = self.names.addresses("bank.example").iter();
        addresses.map(ToString::to_string).collect()
    }

    fn status(&self) -> HostStatus {
        self.names.status("bank.example").unwrap()
    }

    /// Seconds until something is due.
    fn rest(&self) -> f64 {
        let due = self.names.next_due().unwrap();
        due.saturating_duration_since(self.now).as_secs_f64()
    }
}

fn set(hosts: &[&str]) -> BTreeSet<Arc<str>> {
    hosts.iter().map(|host| Arc::from(*host)).collect()
}

fn query(host: &str, family: Family) -> Query {
    Query {
        host: host.into(),
        family,
    }
}

fn found(addresses: &[&str], ttl: Duration) -> Answer {
    Ok(Found {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        unreachable: Vec::new(),
        ttl,
    })
}

#[test]
fn every_address_of_both_families_is_called() {
    let mut stage = Stage::new();
    assert_eq!(
        stage.take_due(),
        Family::BOTH.map(|family| query("bank.example", family))
    );
    assert!(stage.answer(Family::V6, found(&["2001:db8::1"], TTL)));
    assert!(stage.answer(Family::V4, found(&["192.0.2.2", "192.0.2.1"], TTL)));
    assert_eq!(stage.addresses(), ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert!(!stage.answer(Family::V4, found(&["192.0.2.1", "192.0.2.2"], TTL)));
}

#[test]
fn a_lookup_under_way_is_not_made_twice() {
    let mut stage = Stage::new();
    assert_eq!(stage.take_due().len(), 2);
    stage.wait(TTL);
    assert!(stage.take_due().is_empty());
}

#[test]
fn the_next_lookup_is_when_the_time_to_live_is_over_within_bounds() {
    for (ttl, rest) in [(0, 5.0), (4, 5.0), (60, 60.0), (86_400, 300.0)] {
        let (mut stage, ttl) = (Stage::new(), Duration::from_secs(ttl));
        stage.take_due();
        stage.answer(Family::V4, found(&["192.0.2.1"], ttl));
        stage.answer(Family::V6, found(&["2001:db8::1"], ttl));
        assert_eq!(stage.rest(), rest);
    }
}

#[test]
fn lookups_are_spread_by_a_tenth_of_the_time_to_live() {
    let mut stage = Stage::new();
    for query in stage.take_due() {
        stage
            .names
            .answered(&query, found(&["192.0.2.1"], TTL), stage.now, 1.0);
    }
    assert_eq!(stage.rest(), 66.0);
}

#[test]
fn no_failure_takes_addresses_away() {
    for failure in Failure::ALL {
        let mut stage = Stage::new();
        stage.look(&found(&["192.0.2.1"], TTL));
        stage.wait(TTL);
        for _ in 0..20 {
            stage.look(&Err(failure));
            assert_eq!(stage.addresses(), ["192.0.2.1"]);
            assert_eq!(stage.status().state(), "stale");
            assert!(stage.rest() <= 30.0);
            stage.wait(Duration::from_secs(30));
        }
        stage.look(&found(&["192.0.2.9"], TTL));
        assert_eq!(stage.addresses(), ["192.0.2.9"]);
        assert_eq!(stage.status().state(), "current");
    }
}

#[test]
fn failures_are_followed_by_longer_and_longer_rests() {
    let mut stage = Stage::new();
    let mut rests = Vec::new();
    for _ in 0..7 {
        stage.look(&Err(Failure::Server));
        rests.push(stage.rest());
        stage.wait(Duration::from_secs_f64(stage.rest()));
    }
    assert_eq!(rests, [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]);
}

#[test]
fn one_family_may_be_missing_while_the_other_is_confirmed() {
    let mut stage = Stage::new();
    stage.take_due();
    stage.answer(Family::V4, found(&["192.0.2.1"], TTL));
    stage.answer(Family::V6, Err(Failure::Empty));
    let status = stage.status();
    assert_eq!((status.failure, status.failures), (None, 0));
    assert_eq!(stage.rest(), 60.0);
}

#[test]
fn a_family_that_is_gone_is_believed_only_beside_the_other() {
    let mut stage = Stage::new();
    stage.take_due();
    stage.answer(Family::V4, found(&["192.0.2.1"], TTL));
    stage.answer(Family::V6, found(&["2001:db8::1"], TTL));
    stage.answer(Family::V4, Err(Failure::Timeout));
    stage.answer(Family::V6, Err(Failure::Empty));
    assert_eq!(stage.addresses(), ["192.0.2.1", "2001:db8::1"]);
    stage.answer(Family::V4, found(&["192.0.2.1"], TTL));
    assert!(stage.answer(Family::V6, Err(Failure::Empty)));
    assert_eq!(stage.addresses(), ["192.0.2.1"]);
}

#[test]
fn a_host_settles_with_its_first_address() {
    let mut stage = Stage::new();
    stage.take_due();
    assert!(!stage.names.is_settled("bank.example"));
    assert!(!stage.answer(Family::V6, Err(Failure::Server)));
    assert!(!stage.names.is_settled("bank.example"));
    assert!(stage.answer(Family::V4, found(&["192.0.2.1"], TTL)));
    assert!(stage.names.is_settled("bank.example"));
}

#[test]
fn a_host_settles_without_an_address_when_both_families_failed() {
    let mut stage = Stage::new();
    stage.take_due();
    assert!(!stage.answer(Family::V4, Err(Failure::Unknown)));
    assert!(stage.answer(Family::V6, Err(Failure::Unknown)));
    assert!(stage.names.is_settled("bank.example"));
    assert_eq!(stage.status().state(), "unresolved");
}

#[test]
fn a_host_settles_when_its_time_is_over() {
    let mut stage = Stage::new();
    stage.take_due();
    assert!(stage.rest() < 1.0);
    assert!(!stage.names.settle(stage.now));
    stage.wait(A_SECOND);
    assert!(stage.names.settle(stage.now));
    assert!(stage.names.is_settled("bank.example"));
    assert_eq!(stage.names.next_due(), None);
}

#[test]
fn addresses_of_the_host_and_its_platform_are_refused() {
    let refused = [
        "169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "::ffff:169.254.169.254",
        "100.100.100.200",
    ];
    for address in refused {
        let mut stage = Stage::new();
        stage.take_due();
        stage.answer(Family::V4, found(&[address, "192.0.2.1"], TTL));
        assert_eq!(stage.addresses(), ["192.0.2.1"]);
        assert_eq!(stage.status().refused.len(), 1);
        stage.answer(Family::V4, found(&[address], TTL));
        assert_eq!(stage.addresses(), ["192.0.2.1"], "the last good one");
        assert_eq!(stage.names.counts().failed[Failure::Refused as usize], 1);
    }
}

#[test]
fn addresses_that_nothing_leads_to_are_told_and_not_called() {
    let mut stage = Stage::new();
    stage.take_due();
    let answer = found(&["192.0.2.1"], TTL).map(|found| Found {
        unreachable: vec!["192.0.2.7".parse().unwrap()],
        ..found
    });
    stage.answer(Family::V4, answer);
    assert_eq!(stage.addresses(), ["192.0.2.1"]);
    assert_eq!(stage.status().refused, ["192.0.2.7 has no route to it"]);
}

#[test]
fn a_family_that_no_route_leads_to_is_missing_beside_the_other() {
    let mut stage = Stage::new();
    stage.take_due();
    stage.answer(Family::V4, found(&["192.0.2.1"], TTL));
    let answer = Ok(Found {
        addresses: Vec::new(),
        unreachable: vec!["2001:db8::1".parse().unwrap()],
        ttl: TTL,
    });
    stage.answer(Family::V6, answer.clone());
    let status = stage.status();
    assert_eq!((status.failure, status.failures), (None, 0));
    assert_eq!(status.refused, ["2001:db8::1 has no route to it"]);
    stage.answer(Family::V4, Err(Failure::Timeout));
    stage.answer(Family::V6, answer);
    assert!(
        stage
            .status()
            .failure
            .unwrap()
            .ends_with("that a route leads to")
    );
}

#[test]
fn an_answer_has_a_bounded_number_of_addresses() {
    let many: Vec<String> = (0..200).map(|last| format!("192.0.2.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut stage = Stage::new();
    stage.take_due();
    stage.answer(Family::V4, found(&many, TTL));
    assert_eq!(stage.addresses().len(), 64);
}

#[test]
fn lookups_under_way_are_bounded_and_failing_hosts_leave_places() {
    let hosts: Vec<String> = (0..40).map(|number| format!("{number}.example")).collect();
    let mut hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let mut stage = Stage::with(Names::default(), &hosts);
    for _ in 0..5 {
        let queries = stage.take_due();
        assert_eq!(queries.len(), 16);
        assert!(stage.rest() > 0.0, "no place is free");
        for query in &queries {
            stage
                .names
                .answered(query, Err(Failure::Timeout), stage.now, LEAST);
        }
    }
    stage.wait(A_SECOND);
    assert_eq!(stage.take_due().len(), 8, "hosts that do not answer");
    hosts.push("bank.example");
    stage.names.want(&set(&hosts), stage.now);
    let queries = stage.take_due();
    assert_eq!(
        queries,
        Family::BOTH.map(|family| query("bank.example", family))
    );
}

#[test]
fn addresses_of_the_last_run_are_called_until_others_are_found() {
    let mut names = Names::default();
    names.restore("bank.example".into(), &["192.0.2.1".parse().unwrap()]);
    let mut stage = Stage::with(names, &["bank.example"]);
    assert!(stage.names.is_settled("bank.example"));
    assert_eq!(stage.status().confirmed_at, None);
    stage.look(&Err(Failure::Timeout));
    assert_eq!(stage.addresses(), ["192.0.2.1"]);
    stage.wait(A_SECOND);
    stage.look(&found(&["192.0.2.2"], TTL));
    assert_eq!(stage.addresses(), ["192.0.2.2"]);
}

#[test]
fn a_host_that_nobody_asks_for_is_remembered_and_not_looked_up() {
    let mut stage = Stage::new();
    stage.look(&found(&["192.0.2.1"], TTL));
    stage.names.want(&set(&[]), stage.now);
    assert!(stage.names.is_idle());
    assert_eq!(stage.names.next_due(), None);
    assert_eq!(stage.addresses(), ["192.0.2.1"]);
    stage.names.want(&set(&["bank.example"]), stage.now);
    assert_eq!(stage.take_due().len(), 2);
}

#[test]
fn a_host_without_addresses_is_forgotten_with_its_last_asker() {
    let mut stage = Stage::new();
    stage.look(&Err(Failure::Unknown));
    stage.names.want(&set(&[]), stage.now);
    assert_eq!(stage.names.status("bank.example"), None);
}

#[test]
fn a_bounded_number_of_hosts_is_remembered() {
    let mut names = Names::default();
    for number in 0..1_500 {
        names.restore(
            format!("{number}.example").into(),
            &["192.0.2.1".parse().unwrap()],
        );
    }
    let stage = Stage::with(names, &["bank.example"]);
    assert_eq!(stage.names.resolved().count(), 1_000);
}
