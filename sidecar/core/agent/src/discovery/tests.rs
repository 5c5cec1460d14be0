//! When a response is said to be received before it is applied.

use std::cell::Cell;

use super::*;

const LIMIT: Duration = Duration::from_millis(20);

/// Whether notice is given of work that takes so long.
async fn is_noticed(work: Duration) -> bool {
    let noticed = Cell::new(false);
    after(LIMIT, sleep(work), async { noticed.set(true) }).await;
    noticed.get()
}

#[tokio::test(start_paused = true)]
async fn prompt_work_goes_unnoticed() {
    assert!(!is_noticed(LIMIT - Duration::from_millis(1)).await);
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_its_time_is_noticed_and_finished() {
    let began = Instant::now();
    assert!(is_noticed(LIMIT * 3).await);
    assert_eq!(began.elapsed(), LIMIT * 3);
}
