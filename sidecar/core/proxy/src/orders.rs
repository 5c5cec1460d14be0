//! Orders to a worker, each carried out between two requests.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::config::ServiceName;
use crate::connections::Phase;
use crate::handle::{Force, Order};
use crate::report::{BreakerStatus, Direction, Event, EventKind};
use crate::stages::breaker::Guard;
use crate::stages::endpoint::shared_health;
use crate::worker::Worker;
use crate::{census, explain};

/// The end of a drain's time, in which those hear of it who have not reached the application.
const LAST_WORD: Duration = Duration::from_millis(100);

/// Carries out orders until nobody is left to give any.
pub(crate) async fn take(worker: &Rc<Worker>, mut orders: mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        obey(worker, order);
    }
}

fn obey(worker: &Rc<Worker>, order: Order) {
    match order {
        Order::Apply(config, done) => {
            worker.apply(config);
            answer(done, ());
        }
        Order::Stats(reply) => answer(reply, census::stats(worker)),
        Order::Breakers(reply) => answer(reply, census::breakers(worker)),
        Order::Limits(reply) => answer(reply, census::limits(worker)),
        Order::Routes(reply) => answer(reply, census::routes(worker)),
        Order::Endpoints(reply) => answer(reply, census::endpoints(worker)),
        Order::Decisions(count, reply) => answer(reply, worker.journal.decisions(count)),
        Order::Explain(question, reply) => {
            let worker = Rc::clone(worker);
            spawn_local(async move {
                answer(reply, explain::explain(&worker, &question).await);
            });
        }
        Order::Force(force, reply) => answer(reply, carry_out(worker, &force)),
        Order::LiveCallers(callers, done) => {
            set_live_callers(worker, callers);
            answer(done, ());
        }
        Order::Health(reply) => answer(reply, shared_health::own(worker)),
        Order::ShareHealth(health, holds, done) => {
            shared_health::take(worker, health, holds);
            answer(done, ());
        }
        Order::Advance(direction, phase, done) => {
            worker.connections.advance(direction, phase);
            answer(done, ());
        }
        Order::Unused(done) => {
            spawn_local(tell_when_unused(Rc::clone(worker), done));
        }
        Order::Drain(deadline, done) => {
            spawn_local(drain(Rc::clone(worker), deadline, done));
        }
    }
}

/// Whoever asked may have gone; then nobody waits for the answer.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    let _ = reply.send(value);
}

fn set_live_callers(worker: &Worker, callers: Vec<(ServiceName, u32)>) {
    let live = Rc::clone(&worker.live.borrow());
    let at = worker.moment(worker.clock.now_ns());
    for (service, count) in callers {
        let ruled = live.ruled.iter().filter(|it| it.config.service == service);
        for cluster in live.clusters.get(&service).into_iter().chain(ruled) {
            cluster.set_live_callers(count, at);
        }
        worker.live_callers.borrow_mut().insert(service, count);
    }
}

/// Forces a breaker, or gives it back; its status after that.
fn carry_out(worker: &Worker, force: &Force) -> Option<BreakerStatus> {
    let live = Rc::clone(&worker.live.borrow());
    let cluster = match &force.route {
        None => live.clusters.get(&force.service),
        Some(route) => live.of_route(&force.service, route),
    }?;
    let act = |guard: &mut Guard| {
        let now_ns = worker.clock.now_ns();
        match force.order {
            Some((how, time)) => {
                guard.machine.force(
                    how,
                    now_ns.saturating_add(crate::clock::nanoseconds(time)),
                    now_ns,
                );
            }
            None => guard.machine.reset(now_ns),
        }
        guard.tell(worker, cluster, force.endpoint.as_ref());
        guard.status(worker, cluster, force.endpoint.as_ref())
    };
    let status = match &force.endpoint {
        None => Some(act(&mut cluster.breaker.as_ref()?.borrow_mut())),
        Some(instance) => {
            // An instance has a breaker at each port of the service.
            let sets = cluster.ports.iter();
            let forced = sets.filter_map(|set| set.act_on_breaker(worker, cluster, instance, act));
            forced.reduce(|first, _| first)
        }
    }?;
    worker.journal.tell(Event {
        at: worker.clock.wall(worker.clock.now_ns()),
        service: force.service.clone(),
        endpoint: force.endpoint.clone(),
        kind: EventKind::Override {
            to: status.state,
            route: status.route.clone(),
        },
    });
    Some(status)
}

async fn tell_when_unused(worker: Rc<Worker>, mut done: oneshot::Sender<()>) {
    tokio::select! {
        () = worker.connections.all_gone() => answer(done, ()),
        () = done.closed() => {}
    }
}

async fn drain(worker: Rc<Worker>, deadline: Duration, done: oneshot::Sender<()>) {
    for direction in [Direction::Inbound, Direction::Outbound] {
        worker.connections.advance(direction, Phase::Closed);
    }
    let are_gone_within = async |time| timeout(time, worker.connections.all_gone()).await.is_ok();
    if !are_gone_within(deadline.saturating_sub(LAST_WORD)).await {
        dismiss(&worker);
        if !are_gone_within(deadline.min(LAST_WORD)).await {
            worker.connections.cut();
        }
    }
    answer(done, ());
}

/// Tells those who still wait in front of the application that they may ask another instance.
fn dismiss(worker: &Worker) {
    let live = Rc::clone(&worker.live.borrow());
    live.fronts.iter().for_each(|(_, _, front)| front.dismiss());
}
