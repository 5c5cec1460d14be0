//! Two attempts side by side, whatever protocol they are made in: one that is slow, and a second one that is begun
//! after a while. The first answer that is no failure wins, and the other attempt is reset; when one of them fails,
//! the other goes on alone.

use std::pin::Pin;
use std::task::{Context, Poll};

use smallvec::{SmallVec, smallvec};

use crate::exchange::Destination;
use crate::series::{self, Unanswered};
use crate::upstream::NoConnection;

pub(crate) type Connecting<C> = Pin<Box<dyn Future<Output = Result<C, NoConnection>>>>;

/// What a protocol's driver does for a race; every call is about the exchange's current attempt.
pub(crate) trait Driver: series::Driver {
    /// A connection that can be sent on.
    type Connected;
    /// A request that was sent.
    type Sent;
    /// The head of an answer.
    type Head;

    /// Ready when it is time for the second attempt.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, at_ns: u64) -> Poll<()>;

    /// A connection to `to`; `fresh` if one that rested will not do.
    fn connect(&mut self, to: &Destination, fresh: bool) -> Connecting<Self::Connected>;

    fn send(&mut self, on: Self::Connected) -> Result<Self::Sent, Unanswered>;

    /// Ready when the attempt's time is over, or its client has left.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Unanswered>;

    /// Waits for the head of the answer, as long as there is patience.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        sent: &mut Self::Sent,
    ) -> Poll<Result<Self::Head, Unanswered>>;

    /// Whether the other attempt may bring a better answer.
    fn is_poor(&self, sent: &Self::Sent, head: &Self::Head) -> bool;

    /// Gives the answer up: the other attempt goes on alone.
    fn pass_over(&mut self, sent: Self::Sent, head: Self::Head);
}

/// An attempt on its way.
struct Leg<D: Driver> {
    to: Destination,
    stage: Stage<D>,
}

enum Stage<D: Driver> {
    Connecting(Connecting<D::Connected>),
    Sent(D::Sent),
}

type Tried<D> = Result<(<D as Driver>::Sent, <D as Driver>::Head), Unanswered>;

/// The attempts of one race.
struct Race<D: Driver> {
    /// One or two, the exchange's current one first.
    legs: SmallVec<[Leg<D>; 2]>,
    /// When a second one is to be begun.
    hedge_at_ns: Option<u64>,
}

/// Asks `to`, and when no answer's head came by `hedge_at_ns`, another endpoint beside; `fresh` if a connection that
/// rested will not do.
pub(crate) async fn run<D: Driver>(
    driver: &mut D,
    to: &Destination,
    fresh: bool,
    hedge_at_ns: u64,
) -> Tried<D> {
    let leg = Leg::set_out(driver, to.clone(), fresh);
    go_on(driver, leg, hedge_at_ns).await
}

/// The same with a first attempt that was sent to `to` already.
pub(crate) async fn join<D: Driver>(
    driver: &mut D,
    to: &Destination,
    sent: D::Sent,
    hedge_at_ns: u64,
) -> Tried<D> {
    let leg = Leg {
        to: to.clone(),
        stage: Stage::Sent(sent),
    };
    go_on(driver, leg, hedge_at_ns).await
}

async fn go_on<D: Driver>(driver: &mut D, first: Leg<D>, hedge_at_ns: u64) -> Tried<D> {
    let mut race = Race {
        legs: smallvec![first],
        hedge_at_ns: Some(hedge_at_ns),
    };
    std::future::poll_fn(|cx| race.poll(cx, driver)).await
}

impl<D: Driver> Race<D> {
    fn poll(&mut self, cx: &mut Context<'_>, driver: &mut D) -> Poll<Tried<D>> {
        self.poll_hedge(cx, driver);
        for _ in 0..self.legs.len() {
            match self.legs.remove(0).poll(cx, driver) {
                Ok(leg) => {
                    driver.exchange().switch();
                    self.legs.push(leg);
                }
                Err(tried) if self.legs.is_empty() => return Poll::Ready(tried),
                Err(tried) => {
                    if let Some(over) = judge(driver, tried) {
                        return Poll::Ready(over);
                    }
                }
            }
        }
        Poll::Pending
    }

    /// Begins the second attempt when its time has come.
    fn poll_hedge(&mut self, cx: &mut Context<'_>, driver: &mut D) {
        let Some(at_ns) = self.hedge_at_ns else {
            return;
        };
        if driver.poll_alarm(cx, at_ns).is_pending() {
            return;
        }
        self.hedge_at_ns = None;
        if let Some(to) = driver.exchange().hedge() {
            self.legs.insert(0, Leg::set_out(driver, to, false));
        }
    }
}

impl<D: Driver> Leg<D> {
    fn set_out(driver: &mut D, to: Destination, fresh: bool) -> Self {
        let stage = Stage::Connecting(driver.connect(&to, fresh));
        Self { to, stage }
    }

    /// Goes on until there is an answer, or none to come; gives itself back while it waits.
    fn poll(mut self, cx: &mut Context<'_>, driver: &mut D) -> Result<Self, Tried<D>> {
        loop {
            self.stage = match self.stage {
                Stage::Connecting(mut connecting) => match connecting.as_mut().poll(cx) {
                    Poll::Ready(Ok(on)) => Stage::Sent(driver.send(on).map_err(Err)?),
                    Poll::Ready(Err(why)) => return Err(Err(why.into())),
                    Poll::Pending => {
                        self.stage = Stage::Connecting(connecting);
                        return match driver.poll_patience(cx) {
                            Poll::Ready(over) => Err(Err(over)),
                            Poll::Pending => Ok(self),
                        };
                    }
                },
                Stage::Sent(mut sent) => match driver.poll_head(cx, &mut sent) {
                    Poll::Ready(Ok(head)) => return Err(Ok((sent, head))),
                    Poll::Ready(Err(why)) if why.is_stale() && driver.exchange().take_free() => {
                        Stage::Connecting(driver.connect(&self.to, true))
                    }
                    Poll::Ready(Err(why)) => return Err(Err(why)),
                    Poll::Pending => {
                        self.stage = Stage::Sent(sent);
                        return Ok(self);
                    }
                },
            };
        }
    }
}

/// Of two attempts, the current one came to this. Unless that ends the race, the other one is current afterwards.
fn judge<D: Driver>(driver: &mut D, tried: Tried<D>) -> Option<Tried<D>> {
    match tried {
        Ok((sent, head)) if driver.is_poor(&sent, &head) => driver.pass_over(sent, head),
        Ok(answer) => {
            driver.exchange().prevail();
            return Some(Ok(answer));
        }
        Err(Unanswered::Failed { ending, .. }) => driver.exchange().drop_out(Some(ending)),
        Err(Unanswered::Expired) => driver.exchange().drop_out(None),
        Err(Unanswered::NoPlace) => driver.exchange().stand_down(),
        Err(why @ Unanswered::Gone(_)) => return Some(Err(why)),
    }
    None
}
