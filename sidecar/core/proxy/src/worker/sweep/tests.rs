use crate::name::ServiceName;
use crate::worker::tests::{cart, cluster, serve, worker};

#[tokio::test]
async fn numbers_of_callers_are_forgotten_of_services_that_nobody_calls() {
    let worker = worker();
    let other = |number| ServiceName::new("shop", &format!("s{number}"));
    let counted = worker
        .accounts
        .of(crate::report::Direction::Outbound, &other(0), None);
    serve(&worker, cluster(1));
    let all = (0..worker.max_services).map(other).chain([cart()]);
    worker
        .live_callers
        .borrow_mut()
        .extend(all.map(|name| (name, 2)));
    worker.forget_services(&worker.live.borrow());
    let mut left: Vec<_> = worker.live_callers.borrow().keys().cloned().collect();
    left.sort();
    assert_eq!(left, [cart(), other(0)]);
    let forgotten = worker.max_services as u64 - 1;
    assert_eq!(worker.forgotten_callers.get(), forgotten);
    drop(counted);
}
