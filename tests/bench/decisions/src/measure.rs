//! Times many decisions on threads that start together, and keeps the best of many rounds.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Few enough for a round without a pause of the scheduler, now and then.
const DECISIONS: u64 = 50_000;
const ROUNDS: u64 = 200;

/// Decides about the number it is given; true when it admits.
pub type Decide = Box<dyn FnMut(u64) -> bool + Send>;

/// One row of the table.
pub struct Case {
    pub name: &'static str,
    /// Makes what one thread runs.
    make: Box<dyn Fn() -> Decide + Sync>,
}

impl Case {
    pub fn new<F>(name: &'static str, make: impl Fn() -> F + Sync + 'static) -> Self
    where
        F: FnMut(u64) -> bool + Send + 'static,
    {
        let make = move || {
            let mut decide = make();
            let many = move |start: u64| {
                let admitted =
                    (start..start + DECISIONS).filter(|&number| decide(black_box(number)));
                admitted.count() > 0
            };
            Box::new(many) as Decide
        };
        Self {
            name,
            make: Box::new(make),
        }
    }

    /// The time per decision in the best round of each thread, of the slowest one.
    pub fn nanoseconds(&self, threads: usize) -> f64 {
        let barrier = Barrier::new(threads);
        let best = |mut many: Decide| {
            barrier.wait();
            let times = (0..ROUNDS).map(|round| {
                let start = Instant::now();
                black_box(many(round * DECISIONS));
                start.elapsed().as_nanos() as f64 / DECISIONS as f64
            });
            times.fold(f64::INFINITY, f64::min)
        };
        thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| best((self.make)())))
                .collect();
            let times = running.into_iter().flat_map(|thread| thread.join());
            times.fold(0.0, f64::max)
        })
    }
}
