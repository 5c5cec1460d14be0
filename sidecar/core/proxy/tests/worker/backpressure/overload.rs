//! Less is let in before the queue is full: standing queues, early detection, adaptive limits.

use super::*;

#[tokio::test]
async fn a_standing_queue_is_dropped_from() {
    let mut rules = queue(100, Mode::DropNewest);
    let figures = codel::Params {
        target_ns: 1_000_000,
        interval_ns: 5_000_000,
    };
    if let Some(queue) = &mut rules.params.queue {
        queue.discipline = Discipline::CodelLifo(figures);
    }
    let stand = Stand::with(rules).await;
    let mut clients = vec![stand.busy().await];
    for depth in 1..=20 {
        clients.push(stand.queue(&get("/"), f64::from(depth)).await);
    }
    let mut statuses = Vec::new();
    for served in 1..=20 {
        stand.gate.add_permits(1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        until(async || stand.app.calls() > served || stand.depth().await == 0.0).await;
    }
    stand.gate.add_permits(100);
    for client in &mut clients {
        statuses.push(client.answer().await.status);
    }
    let dropped = stand.shed(&["queue.codel"]).await;
    assert!(dropped >= 1.0);
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(refused as f64, dropped);
    assert_eq!(stand.app.calls() + refused, 21);
}

#[tokio::test]
async fn a_queue_that_fills_fast_sheds_background_before_it_is_full() {
    let mut rules = queue(100, Mode::DropNewest);
    rules.params.early_detection = Some(EarlyDetection {
        shed_background_below_ns: 3_600_000_000_000,
        shed_sheddable_below_ns: 0,
    });
    let stand = Stand::with(rules).await;
    let _first = stand.busy().await;
    let _second = stand.queue(&get("/second"), 1.0).await;
    assert!(stand.running.metric("breakwater_queue_growth", &[]).await > 0.0);
    let shed = stand.client().await.ask(&of("background")).await;
    assert_eq!(shed.reason(), "shed.class");
    let _third = stand.queue(&of("sheddable"), 2.0).await;
    stand.rest().await;
}

#[tokio::test]
async fn an_adaptive_limit_stays_within_its_bounds() {
    let mut rules = queue(10, Mode::DropNewest);
    rules.params.concurrency = Concurrency::Adaptive(gradient::Params {
        min: 2,
        max: 3,
        tolerance: 1.5,
        smoothing: 0.2,
    });
    let stand = Stand::with(rules).await;
    let limit = stand
        .running
        .metric("breakwater_concurrency_limit", &[])
        .await;
    assert_eq!(limit, 3.0);
    let mut clients = Vec::new();
    for place in 1..=5 {
        clients.push(stand.send(&get("/")).await);
        until(async || {
            let depth = stand.depth().await as usize;
            (stand.app.calls(), depth) == (place.min(3), place - place.min(3))
        })
        .await;
    }
    stand.rest().await;
    assert_eq!(stand.app.calls(), 5);
}
