//! Names that lead to one address, to several, to the same, and nowhere.

use super::*;

async fn resolved(names: &[&str]) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let targets = Addresses::new(&names).resolve().await;
    targets
        .iter()
        .map(|target| target.address.to_string())
        .collect()
}

#[tokio::test]
async fn each_address_is_one_target() {
    assert_eq!(
        resolved(&["127.0.0.1:1", "[::1]:2", "127.0.0.1:3"]).await,
        ["127.0.0.1:1", "[::1]:2", "127.0.0.1:3"]
    );
}

#[tokio::test]
async fn an_address_with_two_names_is_one_target() {
    let found = resolved(&["localhost:1", "127.0.0.1:1"]).await;
    let same = found.iter().filter(|&address| address == "127.0.0.1:1");
    assert_eq!(same.count(), 1);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_keeps_what_it_had() {
    let mut addresses = Addresses::new(&["no-such-name.invalid:1".to_owned()]);
    assert_eq!(addresses.resolve().await, []);
    let known: SocketAddr = "127.0.0.1:1".parse().unwrap();
    addresses.names[0].1.push(known);
    assert_eq!(addresses.resolve().await[0].address, known);
}
