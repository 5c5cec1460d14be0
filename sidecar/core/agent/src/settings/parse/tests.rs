//! Values that are taken, and the problems of those that are not.

use std::time::Duration;

use proxy::config::Protocol;

use super::*;
use crate::Level;
use crate::settings::OwnPort;

fn values(given: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let defaults: &[(&str, &[&str])] = &[
        ("instance", &["cart-1"]),
        ("service", &["shop/cart"]),
        ("inbound", &["0.0.0.0:15006"]),
        ("outbound", &["127.0.0.1:15001"]),
        ("http", &["127.0.0.1:15090"]),
        ("admin", &["unix:/tmp/admin.sock"]),
        ("state-dir", &["/tmp/state"]),
        ("drain-timeout", &["25"]),
    ];
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    defaults
        .iter()
        .chain(given)
        .map(|(flag, values)| ((*flag).to_owned(), owned(values)))
        .collect()
}

fn settings(given: &[(&str, &[&str])]) -> Settings {
    parse(&values(given)).unwrap()
}

fn problems(given: &[(&str, &[&str])]) -> Vec<&'static str> {
    parse(&values(given))
        .unwrap_err()
        .iter()
        .map(|problem| problem.flag)
        .collect()
}

fn ports(settings: &Settings) -> Vec<(String, u16, u16)> {
    let of = |port: &OwnPort| (port.name.clone(), port.number, port.listen.port());
    settings
        .services
        .iter()
        .flat_map(|service| &service.ports)
        .map(of)
        .collect()
}

#[test]
fn the_first_app_is_reached_at_inbound_and_called_at_the_services_port() {
    let settings = settings(&[
        ("service", &["shop/cart:8080"]),
        ("app", &["127.0.0.1:9000"]),
    ]);
    assert_eq!(ports(&settings), [("http".to_owned(), 8080, 15006)]);
}

#[test]
fn a_wait_for_the_first_configuration_is_of_seconds_within_an_hour() {
    let wait = |text: &str| settings(&[("pass-through-after", &[text])]).pass_through_after;
    assert_eq!(wait("30"), Some(Duration::from_secs(30)));
    assert_eq!(wait("0.25"), Some(Duration::from_millis(250)));
    assert_eq!(settings(&[]).pass_through_after, None);
    for text in ["", "-1", "3601", "NaN", "soon"] {
        assert_eq!(
            problems(&[("pass-through-after", &[text])]),
            ["pass-through-after"]
        );
    }
}

#[test]
fn what_is_in_flight_has_seconds_within_an_hour() {
    let timeout = |text: &str| settings(&[("drain-timeout", &[text])]).drain_timeout;
    assert_eq!(timeout("0"), Duration::ZERO);
    assert_eq!(timeout("1.5"), Duration::from_millis(1_500));
    for text in ["", "-1", "3601", "inf", "soon"] {
        assert_eq!(problems(&[("drain-timeout", &[text])]), ["drain-timeout"]);
    }
}

#[test]
fn probes_are_of_a_path_or_of_a_port() {
    let settings = settings(&[("probe", &["8080/healthz?full=1", "9000", "https:8443/live"])]);
    let probed = |port, path: &str| ProbedPath {
        port,
        path: path.into(),
    };
    assert_eq!(settings.probed_paths, [probed(8080, "/healthz?full=1")]);
    assert_eq!(settings.probed_ports, [9000]);
    assert_eq!(settings.probed_over_tls, [(8443, "/live".to_owned())]);
    let wrong: &[&str] = &[
        "/healthz",
        "0/a",
        "http/a",
        "70000",
        "80/a b",
        "https:8443",
        "https:/a",
    ];
    assert_eq!(problems(&[("probe", wrong)]), ["probe"; 7]);
}

#[test]
fn what_is_spoken_and_logged_are_words() {
    let settings = settings(&[
        ("app-protocol", &["8080=http", "9000=tcp", "9001=detect"]),
        ("log-level", &["debug"]),
    ]);
    let expected = [
        (8080, Protocol::Http),
        (9000, Protocol::Opaque),
        (9001, Protocol::Any),
    ];
    assert_eq!(settings.app_protocols, expected);
    assert_eq!(settings.log_level, Level::Debug);
    let wrong: &[&str] = &["8080", "8080=mysql", "x=tcp"];
    assert_eq!(problems(&[("app-protocol", wrong)]), ["app-protocol"; 3]);
    assert_eq!(problems(&[("log-level", &["loud"])]), ["log-level"]);
}

#[test]
fn an_application_shows_its_metrics_at_a_port_and_a_path() {
    let found = settings(&[("app-metrics", &["8080/metrics?x=1"])]).app_metrics;
    assert_eq!(found, Some((8080, "/metrics?x=1".to_owned())));
    for wrong in ["8080", "/metrics", "8080/a\r\nb"] {
        assert_eq!(problems(&[("app-metrics", &[wrong])]), ["app-metrics"]);
    }
}

#[test]
fn further_apps_have_listeners_of_their_own() {
    let settings = settings(&[("app", &["127.0.0.1:9000", "grpc=127.0.0.1:9001@15007"])]);
    assert_eq!(
        ports(&settings),
        [
            ("http".to_owned(), 80, 15006),
            ("grpc".to_owned(), 9001, 15007)
        ]
    );
}

#[test]
fn several_services_have_an_app_each() {
    let apps: &[&str] = &["127.0.0.1:9000", "127.0.0.1:9001@15007"];
    let settings = settings(&[("service", &["shop/cart", "shop/basket:81"]), ("app", apps)]);
    let listen: Vec<u16> = settings
        .services
        .iter()
        .map(|service| service.ports[0].listen.port())
        .collect();
    assert_eq!(listen, [15006, 15007]);
    assert_eq!(settings.services[1].ports[0].number, 81);
}

#[test]
fn the_first_of_several_services_is_the_peer_of_those_called() {
    let apps: &[&str] = &["127.0.0.1:9000", "127.0.0.1:9001@15007"];
    let settings = settings(&[("service", &["shop/cart", "shop/basket"]), ("app", apps)]);
    assert_eq!(settings.peer(), "shop/cart");
}

#[test]
fn several_services_without_an_app_each_are_a_problem() {
    assert_eq!(
        problems(&[
            ("service", &["shop/cart", "shop/basket"]),
            ("app", &["127.0.0.1:9000"])
        ]),
        ["app"]
    );
}

#[test]
fn a_workload_that_only_calls_has_no_ports() {
    assert!(ports(&settings(&[])).is_empty());
}

#[test]
fn every_problem_is_told_at_once() {
    let found = problems(&[
        ("service", &["cart"]),
        ("app", &["9000"]),
        ("outbound", &["localhost"]),
        ("upstream", &["5432"]),
        ("admin", &["/tmp/admin.sock"]),
        ("workers", &["2"]),
        ("capture", &["tproxy"]),
    ]);
    let expected = [
        "workers", "service", "app", "outbound", "admin", "capture", "upstream",
    ];
    assert_eq!(found, expected);
}

#[test]
fn plain_text_off_the_machine_must_be_asked_for() {
    let remote: (&str, &[&str]) = ("controlplane", &["10.0.0.1:15010"]);
    assert_eq!(problems(&[remote]), ["controlplane"]);
    assert_eq!(
        settings(&[remote, ("insecure", &["true"])]).controlplane,
        ["10.0.0.1:15010"]
    );
}

#[test]
fn a_switch_is_true_or_false() {
    assert_eq!(problems(&[("insecure", &["maybe"])]), ["insecure"]);
}

#[test]
fn loopback_needs_no_flag() {
    let addresses: &[&str] = &["127.0.0.1:15010,[::1]:15010", "localhost:15011"];
    assert_eq!(
        settings(&[("controlplane", addresses)]).controlplane.len(),
        3
    );
}

#[test]
fn an_upstream_listens_on_loopback_unless_told() {
    let settings = settings(&[(
        "upstream",
        &["5432=shop/db:5432", "0.0.0.0:5433=shop/db:5432"],
    )]);
    let listen: Vec<String> = settings
        .upstreams
        .iter()
        .map(|upstream| upstream.listen.to_string())
        .collect();
    assert_eq!(listen, ["127.0.0.1:5432", "0.0.0.0:5433"]);
}

#[test]
fn an_instance_cannot_name_a_path() {
    assert_eq!(problems(&[("instance", &["../cart"])]), ["instance"]);
}

#[test]
fn a_control_plane_off_this_machine_needs_somebody_who_signs_for_it() {
    let remote = ("controlplane", &["breakwater.example:15010"] as &[&str]);
    let found = parse(&values(&[remote])).unwrap_err();
    assert!(found[0].message.contains("--controlplane-ca FILE"));
    let trusted = settings(&[remote, ("controlplane-ca", &["/run/ca.crt"])]);
    assert_eq!(trusted.trust.ca, Some("/run/ca.crt".into()));
}

#[test]
fn a_token_never_travels_in_plain_text() {
    let token = ("token-file", &["/run/token"] as &[&str]);
    let insecure = ("insecure", &["true"] as &[&str]);
    assert_eq!(problems(&[token]), ["token-file"]);
    assert_eq!(problems(&[token, insecure]), ["token-file"]);
    let trust = settings(&[token, ("controlplane-ca", &["/run/ca.crt"])]).trust;
    assert_eq!(trust.token, Some("/run/token".into()));
}

#[test]
fn labels_are_names_and_values() {
    let settings = settings(&[("label", &["pool=critical", "note="])]);
    let expected = [("note", ""), ("pool", "critical")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(settings.labels, expected.into());
    assert_eq!(problems(&[("label", &["pool", "=critical"])]), ["label"; 2]);
}

fn beside_a_workload(given: &[(&str, &[&str])]) -> Result<Settings, Vec<&'static str>> {
    let mut values = values(given);
    values.remove("service");
    let flags = |problems: Vec<Problem>| problems.iter().map(|problem| problem.flag).collect();
    parse(&values).map_err(flags)
}

#[test]
fn a_workload_has_its_ports_under_names_of_their_own_and_says_no_service() {
    let settings = beside_a_workload(&[
        ("workload", &["shop/cart-6f7d9.a"]),
        ("app", &["127.0.0.1:9000", "127.0.0.1:9001@15007"]),
    ])
    .unwrap();
    let names: Vec<_> = settings
        .inbound()
        .into_iter()
        .map(|port| port.service.as_str().to_owned())
        .collect();
    assert_eq!(
        names,
        ["shop/cart-6f7d9.a:15006", "shop/cart-6f7d9.a:15007"]
    );
    assert_eq!(settings.namespace(), "shop");
    assert!(settings.named().is_empty());
}

#[test]
fn a_service_account_has_a_name_with_dots_perhaps() {
    let settings = settings(&[("service-account", &["robot.web"])]);
    assert_eq!(settings.service_account.as_deref(), Some("robot.web"));
    assert_eq!(
        problems(&[("service-account", &["Robot", ""])]),
        ["service-account"; 2]
    );
}

#[test]
fn a_workload_excludes_services_and_one_of_both_is_needed() {
    assert_eq!(problems(&[("workload", &["shop/cart-a"])]), ["service"]);
    assert_eq!(beside_a_workload(&[]).unwrap_err(), ["service"]);
    assert_eq!(
        beside_a_workload(&[("workload", &["cart"])]).unwrap_err()[0],
        "workload"
    );
}
