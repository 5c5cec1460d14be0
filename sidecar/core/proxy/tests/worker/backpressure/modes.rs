//! What becomes of those who find no permit, by the mode of the queue.

use super::*;

#[tokio::test]
async fn one_runs_one_waits_and_the_next_is_refused() {
    let stand = Stand::with(queue(1, Mode::DropNewest)).await;
    let mut first = stand.busy().await;
    let mut second = stand.queue(&get("/second"), 1.0).await;
    let refused = stand.client().await.get("/").await;
    assert_eq!(refused.status, 503);
    assert_eq!(
        refused.field("proxy-status"),
        Some("breakwater; error=http_request_denied; details=\"queue.full policy=shop/cart\"")
    );
    assert_eq!(refused.field("retry-after"), None);
    assert!(refused.text().contains("\"reason\":\"queue.full\""));
    stand.gate.add_permits(2);
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
    stand.rest().await;
    assert_eq!(stand.app.calls(), 2);
    assert_eq!(
        stand.shed(&["shop/cart", "default", "queue.full"]).await,
        1.0
    );
    let admitted = stand
        .running
        .metric("breakwater_admitted_total", &["default"]);
    assert_eq!(admitted.await, 2.0);
}

#[tokio::test]
async fn without_a_queue_nothing_waits() {
    let mut rules = queue(1, Mode::DropNewest);
    rules.params.queue = None;
    let stand = Stand::with(rules).await;
    let _first = stand.busy().await;
    let refused = stand.client().await.get("/").await;
    assert_eq!(refused.details(), "shed.concurrency policy=shop/cart");
    stand.rest().await;
}

#[tokio::test]
async fn the_oldest_makes_room_for_the_newest() {
    let stand = Stand::with(queue(1, Mode::DropOldest)).await;
    let _first = stand.busy().await;
    let mut second = stand.queue(&get("/second"), 1.0).await;
    let mut third = stand.send(&get("/third")).await;
    let evicted = second.answer().await;
    assert_eq!(evicted.status, 503);
    assert_eq!(evicted.reason(), "queue.evicted");
    stand.gate.add_permits(2);
    assert_eq!(third.answer().await.status, 200);
    assert_eq!(stand.order(), ["/first", "/third"]);
}

const BLOCK: Mode = Mode::Block { for_ns: 50_000_000 };

#[tokio::test]
async fn who_is_held_for_too_long_is_refused_and_never_sooner() {
    let stand = Stand::with(queue(1, BLOCK)).await;
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let began = std::time::Instant::now();
    let refused = stand.client().await.get("/").await;
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(refused.reason(), "queue.blocked");
    stand.rest().await;
}

#[tokio::test]
async fn who_is_held_goes_on_in_its_order_when_there_is_room() {
    let for_ns = 60_000_000_000;
    let stand = Stand::with(queue(1, Mode::Block { for_ns })).await;
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let mut third = stand.queue(&get("/third"), 2.0).await;
    let refused = stand.client().await.get("/").await;
    assert_eq!(refused.reason(), "queue.full");
    stand.gate.add_permits(3);
    assert_eq!(third.answer().await.status, 200);
    assert_eq!(stand.order(), ["/first", "/second", "/third"]);
}

#[tokio::test]
async fn a_request_is_not_held_for_a_permit_of_its_own_trace() {
    let for_ns = 60_000_000_000;
    let stand = Stand::with(queue(1, Mode::Block { for_ns })).await;
    let traced = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let _first = stand.send(&with("/first", traced)).await;
    until(async || stand.app.calls() == 1).await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let refused = stand.client().await.ask(&with("/again", traced)).await;
    assert_eq!(refused.reason(), "queue.blocked");
    stand.rest().await;
}

#[tokio::test]
async fn a_buffer_doubles_up_to_its_bounds() {
    let mode = |max_bytes| Mode::Buffer {
        max_capacity: 3,
        max_bytes,
    };
    let stand = Stand::with(queue(1, mode(1 << 20))).await;
    let _first = stand.busy().await;
    let mut waiting = Vec::new();
    for depth in 1..=3 {
        waiting.push(stand.queue(&get("/"), f64::from(depth)).await);
    }
    assert_eq!(
        stand.running.metric("breakwater_queue_capacity", &[]).await,
        3.0
    );
    let refused = stand.client().await.get("/").await;
    assert_eq!(refused.reason(), "queue.full");
    stand.rest().await;
    stand
        .running
        .handle
        .apply(config(Some(queue(2, mode(100)))))
        .await
        .unwrap();
    let small = stand.client().await.get("/").await;
    assert_eq!(small.status, 200);
}

#[tokio::test]
async fn a_buffer_takes_no_more_bytes_than_it_may() {
    let (max_capacity, max_bytes) = (10, 100);
    let mode = Mode::Buffer {
        max_capacity,
        max_bytes,
    };
    let stand = Stand::with(queue(10, mode)).await;
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    let long = format!("/{}", "x".repeat(100));
    let refused = stand.client().await.get(&long).await;
    assert_eq!(refused.reason(), "queue.full");
    stand.rest().await;
}

#[tokio::test]
async fn a_throttle_tells_which_share_it_admits() {
    let from = Percent::new(50);
    let stand = Stand::with(queue(2, Mode::Throttle { from })).await;
    let mut first = stand.busy().await;
    let mut second = stand.queue(&get("/second"), 1.0).await;
    let mut third = stand.queue(&get("/third"), 2.0).await;
    let refused = stand.client().await.get("/").await;
    assert_eq!(refused.reason(), "queue.throttled");
    assert_eq!(refused.field("breakwater-admit-rate"), Some("0.5"));
    stand.gate.add_permits(3);
    let admitted = first.answer().await;
    assert_eq!(admitted.field("breakwater-admit-rate"), Some("0.5"));
    for client in [&mut second, &mut third] {
        assert_eq!(client.answer().await.status, 200);
    }
}
