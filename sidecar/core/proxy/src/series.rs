//! Attempts one after the other, whatever protocol they are made in, until an answer is to be passed on or a refusal.
//!
//! The answer of an attempt that is made again is kept until the next one has its place among the cluster's connections:
//! as long as a stage may refuse that one, it is what goes back.

use http1::Cause;
use policy::Reason;
use policy::ending::Ending;

use crate::exchange::{Course, Destination, Exchange};
use crate::stages::Refusal;
use crate::upstream::NoConnection;

/// What a protocol's driver does for the attempts of its exchange.
pub(crate) trait Driver {
    /// An answer whose head is there.
    type Answer;

    fn exchange(&mut self) -> &mut Exchange;

    /// Makes an attempt. Gives up the answer of the one `before` as soon as no place for its connection can be refused any
    /// more.
    async fn ask(
        &mut self,
        to: &Destination,
        before: &mut Option<Self::Answer>,
    ) -> Result<Self::Answer, Unanswered>;

    /// Tells the exchange of an answer.
    fn answered(&mut self, answer: &Self::Answer) -> Course;

    /// What stands in for an answer that goes back after all, if anything does.
    fn stand_in(&mut self, _: &Self::Answer) -> Option<Refusal> {
        None
    }

    /// Lets time pass before the next attempt.
    async fn pause(&mut self, delay_ns: u64) -> Result<(), Gone>;
}

/// Why an attempt brought no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unanswered {
    Failed {
        ending: Ending,
        reason: Reason,
        /// Whether its connection was used before, and turned out to be closed before it brought anything.
        is_stale: bool,
    },
    /// Its time was over.
    Expired,
    /// The cluster's connections are all in use.
    NoPlace,
    Gone(Gone),
}

/// Why nobody waits for an answer any more.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gone {
    /// The client left.
    Left,
    /// What the client sends broke the protocol.
    Malformed(Cause),
}

/// Makes attempts, the first one at `to`, until an answer is to be passed on or a refusal.
pub(crate) async fn run<D: Driver>(
    driver: &mut D,
    mut to: Destination,
) -> Result<Result<D::Answer, Refusal>, Gone> {
    let mut before = None;
    loop {
        let (course, answer) = match driver.ask(&to, &mut before).await {
            Ok(answer) => (driver.answered(&answer), Some(answer)),
            Err(Unanswered::Failed { ending, reason, .. }) => {
                (driver.exchange().failed(ending, reason), None)
            }
            Err(Unanswered::Expired) => (driver.exchange().expired(), None),
            Err(Unanswered::NoPlace) => {
                let refusal = driver.exchange().withdraw();
                return Ok(go_back(driver, before, refusal));
            }
            Err(Unanswered::Gone(gone)) => return Err(gone),
        };
        let delay_ns = match course {
            Course::Deliver => return Ok(answer.ok_or_else(|| driver.exchange().take_failure())),
            Course::Refuse(refusal) => return Ok(Err(refusal)),
            Course::Retry { delay_ns } => delay_ns,
        };
        driver.pause(delay_ns).await?;
        to = match driver.exchange().retry() {
            Ok(next) => next,
            Err(refusal) => return Ok(go_back(driver, answer, refusal)),
        };
        before = answer;
    }
}

/// What goes back when an attempt was refused: the answer of the one before it, unless something stands in for that.
fn go_back<D: Driver>(
    driver: &mut D,
    before: Option<D::Answer>,
    refusal: Refusal,
) -> Result<D::Answer, Refusal> {
    let answer = before.ok_or(refusal)?;
    match driver.stand_in(&answer) {
        Some(refusal) => Err(refusal),
        None => Ok(answer),
    }
}

impl Unanswered {
    /// Whether it failed because its connection had been closed while it rested.
    pub(crate) const fn is_stale(&self) -> bool {
        matches!(self, Self::Failed { is_stale: true, .. })
    }
}

impl From<NoConnection> for Unanswered {
    fn from(why: NoConnection) -> Self {
        match why {
            NoConnection::NoPlace => Self::NoPlace,
            NoConnection::Failed(ending, reason) => Self::Failed {
                ending,
                reason,
                is_stale: false,
            },
        }
    }
}
