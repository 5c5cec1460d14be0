use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local, yield_now};

use super::Demands;
use crate::clock::Clock;
use crate::handle::{Demand, Supply, Wanted};
use crate::settings::Bounds;

fn wanted(name: &str) -> Wanted {
    Wanted::Host(name.into())
}

fn demands(max_demands: usize) -> (Rc<Demands>, mpsc::Receiver<Demand>) {
    let (outlet, asked) = mpsc::channel(100);
    let bounds = Bounds {
        max_demands,
        ..Bounds::default()
    };
    (Demands::new(outlet, &bounds, Clock::start()), asked)
}

async fn supply(demands: &Rc<Demands>, name: &str) -> Supply {
    demands.ask(&wanted(name), None).await
}

#[tokio::test(start_paused = true)]
async fn many_requests_for_one_name_ask_once_and_share_the_answer() {
    LocalSet::new()
        .run_until(async {
            let (demands, mut asked) = demands(64);
            let waiting: Vec<_> = (0..5)
                .map(|_| {
                    let demands = Rc::clone(&demands);
                    spawn_local(async move { supply(&demands, "cart.shop").await })
                })
                .collect();
            let demand = asked.recv().await.unwrap();
            yield_now().await;
            demand.reply.send(Supply::Applied).unwrap();
            for wait in waiting {
                assert_eq!(wait.await.unwrap(), Supply::Applied);
            }
            assert!(asked.try_recv().is_err());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_a_second_at_most() {
    LocalSet::new()
        .run_until(async {
            let (demands, _asked) = demands(64);
            let began = tokio::time::Instant::now();
            assert_eq!(supply(&demands, "cart.shop").await, Supply::Unavailable);
            assert_eq!(began.elapsed(), Duration::from_secs(1));
            let left = Some(Duration::from_millis(30));
            assert_eq!(
                demands.ask(&wanted("web.shop"), left).await,
                Supply::Unavailable
            );
            assert_eq!(began.elapsed(), Duration::from_millis(1_030));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn more_names_than_the_bound_are_not_asked_for() {
    LocalSet::new()
        .run_until(async {
            let (demands, mut asked) = demands(1);
            let first = Rc::clone(&demands);
            let first = spawn_local(async move { supply(&first, "cart.shop").await });
            let demand = asked.recv().await.unwrap();
            assert_eq!(supply(&demands, "other.shop").await, Supply::Unavailable);
            demand.reply.send(Supply::Unknown).unwrap();
            assert_eq!(first.await.unwrap(), Supply::Unknown);
            assert!(asked.try_recv().is_err());
            assert_eq!(demands.size(), (0, 1, 1));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_remembered_for_ten_seconds() {
    LocalSet::new()
        .run_until(async {
            let (demands, mut asked) = demands(64);
            let asking = Rc::clone(&demands);
            let asking = spawn_local(async move { supply(&asking, "nobody.shop").await });
            asked
                .recv()
                .await
                .unwrap()
                .reply
                .send(Supply::Unknown)
                .unwrap();
            asking.await.unwrap();
            let answered_ns = demands.clock.now_ns();
            assert!(demands.is_unknown(&wanted("nobody.shop"), answered_ns + 9_999_999_999));
            assert!(!demands.is_unknown(&wanted("nobody.shop"), answered_ns + 10_000_000_000));
        })
        .await;
}
