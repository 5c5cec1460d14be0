//! All light sidecars.

use std::{io, net::SocketAddr, rc::Rc};

use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;

use crate::sidecar::{Sidecar, named};
use crate::tally::Tally;
use crate::wire::REST;

#[derive(Default)]
pub struct Fleet {
    pub tally: Rc<Tally>,
    sidecars: Vec<Rc<Sidecar>>,
    running: Vec<AbortHandle>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl Fleet {
    pub fn add(&mut self, instance: &str, service: &str, hosts: &[&str]) -> io::Result<()> {
        let sidecar = Rc::new(Sidecar::new(instance, named(service)?, hosts));
        self.tally.enter(Rc::clone(&sidecar.received));
        self.sidecars.push(sidecar);
        Ok(())
    }

    /// Connects all at once, from then on again whenever one is lost.
    pub fn connect(&mut self, address: SocketAddr, accompanied: bool) {
        self.disconnect();
        for sidecar in &self.sidecars {
            let (sidecar, tally) = (Rc::clone(sidecar), Rc::clone(&self.tally));
            let running = spawn_local(async move {
                loop {
                    let ended = sidecar.session(address, accompanied, &tally).await;
                    tally.lost(&ended);
                    sleep(REST).await;
                }
            });
            self.running.push(running.abort_handle());
        }
    }

    fn disconnect(&mut self) {
        for running in self.running.drain(..) {
            running.abort();
        }
    }
}
