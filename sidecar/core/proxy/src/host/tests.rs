use super::canonical;

fn assert_canonical(host: &str, expected: &str) {
    let found = canonical(host.as_bytes(), "shop");
    assert_eq!(found.as_slice(), expected.as_bytes(), "{host}");
}

#[test]
fn every_spelling_of_a_service_is_one_name() {
    for host in [
        "cart",
        "cart.shop",
        "cart.shop.svc",
        "cart.shop.svc.cluster.local",
        "CART.Shop.",
    ] {
        assert_canonical(host, "cart.shop");
    }
}

#[test]
fn names_outside_the_mesh_and_addresses_stay() {
    assert_canonical("api.example.com", "api.example.com");
    assert_canonical("127.0.0.1", "127.0.0.1");
    assert_canonical("[::1]", "[::1]");
}

#[test]
fn a_name_in_another_namespace_keeps_it() {
    assert_canonical("ledger.pay.svc", "ledger.pay");
}
