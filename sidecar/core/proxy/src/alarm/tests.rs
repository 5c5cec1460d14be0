use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::Alarm;
use crate::clock::Clock;

const MS: u64 = 1_000_000;

async fn rings(alarm: &mut Alarm, clock: &Clock, at_ns: u64) {
    poll_fn(|cx| alarm.poll(cx, clock, Some(at_ns))).await;
}

#[tokio::test(start_paused = true)]
async fn it_rings_at_its_time_however_often_that_is_moved() {
    let (clock, mut alarm) = (Clock::start(), Alarm::default());
    let began = Instant::now();
    let now_ns = clock.now_ns();
    poll_fn(|cx| {
        for at in [500, 100, 900, 300] {
            assert!(alarm.poll(cx, &clock, Some(now_ns + at * MS)).is_pending());
        }
        Poll::Ready(())
    })
    .await;
    rings(&mut alarm, &clock, now_ns + 300 * MS).await;
    assert_eq!(began.elapsed(), Duration::from_millis(300));
}

#[tokio::test(start_paused = true)]
async fn it_can_be_used_again_for_earlier_and_later_times() {
    let (clock, mut alarm) = (Clock::start(), Alarm::default());
    let began = Instant::now();
    for (wait, elapsed) in [(50, 50), (10, 60), (200, 260)] {
        let at_ns = clock.now_ns() + wait * MS;
        rings(&mut alarm, &clock, at_ns).await;
        assert_eq!(began.elapsed(), Duration::from_millis(elapsed));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_time_it_never_rings() {
    let (clock, mut alarm) = (Clock::start(), Alarm::default());
    let waiting = poll_fn(|cx| alarm.poll(cx, &clock, None));
    assert!(
        tokio::time::timeout(Duration::from_secs(3600), waiting)
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn it_wakes_whoever_asked_last() {
    let (clock, mut alarm) = (Clock::start(), Alarm::default());
    let at_ns = clock.now_ns() + 100 * MS;
    let mut nobody = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(alarm.poll(&mut nobody, &clock, Some(at_ns)).is_pending());
    }
    let ringing = rings(&mut alarm, &clock, at_ns);
    let rung = tokio::time::timeout(Duration::from_secs(3600), ringing).await;
    assert!(rung.is_ok());
}
