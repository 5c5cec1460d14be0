//! Connections of whatever protocol: bytes are passed on both ways, and each end of either side with them.
//!
//! To a service, a connection is one call: it meets the stages that are not about requests, and holds one of the
//! service's connections. Where it is not known yet what is spoken, either side may say it: some servers speak first.

use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use policy::Reason;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::alarm::Alarm;
use crate::connections::Place;
use crate::downstream::TELL_NS;
use crate::exchange::{Course, Destination, End, Exchange};
use crate::request::{Opaque, Sender};
use crate::series::{self, Gone, Unanswered};
use crate::speech::{self, Speech};
use crate::stages::Refusal;
use crate::stages::timeout::BodyBounds;
use crate::tunnel::{Established, Tunnel};
use crate::upstream::{InUse, dial, make_room};
use crate::wire::{Memory, Wire};
use crate::worker::{Entry, Worker};

/// Time to connect to what is no service.
const CONNECT: Duration = Duration::from_secs(10);
/// Time without a byte after which a connection ends, where no policy says another.
const IDLE_NS: u64 = 3_600_000_000_000;
/// Bytes that a client may send ahead.
const AHEAD_BYTES: usize = 16 * 1024;

/// What became of a connection that was undecided.
pub(crate) enum Turned {
    /// It has ended.
    Over,
    /// It is HTTP after all, and not served yet.
    Http(Speech, Wire),
}

/// Serves a connection to its end.
pub(crate) async fn serve(worker: &Rc<Worker>, client: Wire, (sender, entry): (Sender, &Entry)) {
    if let Some(call) = Call::begin(worker, client, (sender, entry)).await {
        call.relay(worker).await;
    }
}

/// Serves a connection on which nobody has said anything, once somebody does.
pub(crate) async fn serve_undecided(
    worker: &Rc<Worker>,
    client: Wire,
    (sender, entry): (Sender, &Entry),
    place: &Place,
) -> Turned {
    let Some(mut call) = Call::begin(worker, client, (sender, entry)).await else {
        return Turned::Over;
    };
    match call.first_word(worker, place).await {
        Speech::Opaque => call.relay(worker).await,
        speech => return Turned::Http(speech, call.give_up()),
    }
    Turned::Over
}

/// Passes a connection on to where it was going, which is no service.
pub(crate) async fn pass_through(worker: &Worker, stream: TcpStream, address: SocketAddr) {
    let mut client = Wire::new(stream);
    let Ok(upstream) = dial(worker, address, CONNECT).await else {
        return client.reset_on_close();
    };
    let (mut upstream, mut tunnel) = (Wire::new(upstream), Tunnel::default());
    let bounds = BodyBounds::default();
    let end = relay(worker, (&mut client, &mut upstream), &mut tunnel, bounds).await;
    reset_unless_complete(end, &client, &upstream);
}

/// A client that waits for its connection to a service.
struct Caller {
    worker: Rc<Worker>,
    exchange: Exchange,
    client: Wire,
}

impl Caller {
    /// A connection to one of the service's endpoints, tried again as its policy has it.
    async fn connect(
        &mut self,
        entry: &Entry,
        request: &Opaque,
    ) -> Result<Result<Wire, Refusal>, Gone> {
        let admitting = self.exchange.admit_connection(entry, request);
        let admitted = beside(&mut self.client, &self.worker.memory, admitting).await?;
        match admitted.and_then(|()| self.exchange.attempt()) {
            Ok(to) => series::run(self, to).await,
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

impl series::Driver for Caller {
    type Answer = Wire;

    fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    async fn ask(&mut self, to: &Destination, _: &mut Option<Wire>) -> Result<Wire, Unanswered> {
        // Beside its connections nothing of it is foreseen.
        let to = Destination {
            is_foreseen: true,
            ..to.clone()
        };
        let taking = InUse::take(&mut self.exchange.connection, &to);
        let taken = beside(&mut self.client, &self.worker.memory, taking).await;
        taken.map_err(Unanswered::Gone)??;
        make_room(&self.worker, &to.cluster);
        let stream = dial(&self.worker, to.address, to.cluster.timeouts.connect).await?;
        Ok(Wire::new(stream))
    }

    fn answered(&mut self, _: &Wire) -> Course {
        self.exchange.answered(&Established)
    }

    async fn pause(&mut self, delay_ns: u64) -> Result<(), Gone> {
        let pausing = sleep(Duration::from_nanos(delay_ns));
        beside(&mut self.client, &self.worker.memory, pausing).await
    }
}

/// Does `work` until it is done, or the client leaves.
async fn beside<T>(
    client: &mut Wire,
    memory: &Memory,
    work: impl Future<Output = T>,
) -> Result<T, Gone> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => poll_left(cx, client, memory).map(|()| Err(Gone::Left)),
    })
    .await
}

/// Ready when the client has left. What it sends ahead is kept, up to a bound; once it has sent any, the end of that is
/// none of the connection: it may wait for an answer, and if not, what it sent is to arrive all the same.
fn poll_left(cx: &mut Context<'_>, client: &mut Wire, memory: &Memory) -> Poll<()> {
    while let Some(room @ 1..) = AHEAD_BYTES.checked_sub(client.input.len()) {
        match ready!(client.poll_fill(cx, memory, room)) {
            Ok(1..) => {}
            Ok(0) if client.has_input() => break,
            Ok(0) | Err(_) => return Poll::Ready(()),
        }
    }
    Poll::Pending
}

/// A connection to a service, with both sides there.
struct Call {
    request: Opaque,
    exchange: Exchange,
    client: Wire,
    upstream: Wire,
}

impl Call {
    /// Connects to the service; `None` when that is refused or fails, or the client has left, and its side has ended.
    async fn begin(
        worker: &Rc<Worker>,
        client: Wire,
        (sender, entry): (Sender, &Entry),
    ) -> Option<Self> {
        let request = Opaque(sender);
        let mut caller = Caller {
            worker: Rc::clone(worker),
            exchange: Exchange::begin(worker, entry, &request),
            client,
        };
        let connected = caller.connect(entry, &request).await.ok()?;
        let Caller {
            mut exchange,
            client,
            ..
        } = caller;
        match connected {
            Ok(upstream) => Some(Self {
                request,
                exchange,
                client,
                upstream,
            }),
            Err(refusal) => {
                exchange.refuse(&refusal, &request);
                exchange.finish(End::Complete { code: None }, 0);
                client.reset_on_close();
                None
            }
        }
    }

    /// Waits until either side says something; a client that begins like HTTP, and says no more, speaks HTTP.
    async fn first_word(&mut self, worker: &Worker, place: &Place) -> Speech {
        let tell_ns = || worker.clock.now_ns().saturating_add(TELL_NS);
        let mut until_ns = self.client.has_input().then(tell_ns);
        let mut alarm = Alarm::default();
        let idle_ns = worker.clock.now_ns().saturating_add(IDLE_NS);
        std::future::poll_fn(|cx| {
            loop {
                match speech::judge(&self.client.input) {
                    Speech::Undecided => {}
                    speech => return Poll::Ready(speech),
                }
                match self.client.poll_fill(cx, &worker.memory, AHEAD_BYTES) {
                    Poll::Ready(Ok(1..)) => until_ns = Some(tell_ns()),
                    Poll::Ready(_) => return Poll::Ready(Speech::Opaque),
                    Poll::Pending => break,
                }
            }
            if !self.client.has_input()
                && self
                    .upstream
                    .poll_fill(cx, &worker.memory, AHEAD_BYTES)
                    .is_ready()
            {
                return Poll::Ready(Speech::Opaque);
            }
            if place.is_closed() {
                return Poll::Ready(Speech::Opaque);
            }
            place.watch(cx.waker());
            let over = alarm.poll(cx, &worker.clock, Some(until_ns.unwrap_or(idle_ns)));
            over.map(|()| until_ns.map_or(Speech::Opaque, |_| Speech::Http1))
        })
        .await
    }

    async fn relay(mut self, worker: &Worker) {
        let bounds = self.exchange.body_bounds();
        let mut tunnel = self.exchange.tunnel(&self.request);
        let both = (&mut self.client, &mut self.upstream);
        let end = relay(worker, both, &mut tunnel, bounds).await;
        self.exchange.note_body(tunnel.up.bytes);
        self.exchange.finish(end, tunnel.down.bytes);
        reset_unless_complete(end, &self.client, &self.upstream);
    }

    /// It was no such call after all.
    fn give_up(self) -> Wire {
        self.exchange.forget();
        self.client
    }
}

/// Passes bytes both ways until both sides have ended, or for too long neither has sent any.
async fn relay(
    worker: &Worker,
    (client, upstream): (&mut Wire, &mut Wire),
    tunnel: &mut Tunnel,
    bounds: BodyBounds,
) -> End {
    let mut alarm = Alarm::default();
    let mut moved_ns = worker.clock.now_ns();
    std::future::poll_fn(|cx| {
        let (over, has_moved) = tunnel.poll(cx, client, upstream, &worker.memory);
        if let Poll::Ready(over) = over {
            return Poll::Ready(over.map_or(End::ClientLeft, |()| End::Complete { code: None }));
        }
        if has_moved {
            moved_ns = worker.clock.now_ns();
        }
        let idle_ns = moved_ns.saturating_add(bounds.idle_ns.unwrap_or(IDLE_NS));
        let (at_ns, reason) = match bounds.until {
            Some(until) if until.0 <= idle_ns => until,
            _ => (idle_ns, Reason::TimeoutIdle),
        };
        let over = alarm.poll(cx, &worker.clock, Some(at_ns));
        over.map(|()| End::TimedOut(reason))
    })
    .await
}

/// What was cut off must not look like a whole.
fn reset_unless_complete(end: End, client: &Wire, upstream: &Wire) {
    if !matches!(end, End::Complete { .. }) {
        client.reset_on_close();
        upstream.reset_on_close();
    }
}
