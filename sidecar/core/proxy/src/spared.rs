//! Requests on which nothing is enforced: by these, whoever runs the application asks whether it lives.

use std::rc::Rc;
use std::sync::Arc;

use policy::method::Method;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::request::Request;
use crate::settings::ProbedPath;
use crate::stages::Refusal;
use crate::worker::Entry;

/// Connections beyond the limits that are served at once, in case they bring such a request.
const CONNECTIONS: usize = 16;
/// What a gRPC server is asked how it is.
const GRPC_CHECK: &[u8] = b"/grpc.health.v1.Health/Check";

/// What is asked that way.
#[derive(Debug)]
pub(crate) struct Spared {
    paths: Vec<ProbedPath>,
    places: Arc<Semaphore>,
}

/// A connection that was turned away, and is served such requests alone.
pub(crate) type Turned = (Rc<Entry>, OwnedSemaphorePermit);

impl Spared {
    pub(crate) fn new(paths: Vec<ProbedPath>) -> Self {
        Self {
            paths,
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// Whether a request that came in there is such a one.
    pub(crate) fn holds(&self, entry: &Entry, request: &dyn Request) -> bool {
        let Entry::Application { address, .. } = entry else {
            return false;
        };
        self.paths.iter().any(|probed| {
            let (path, query) = match probed.path.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (&*probed.path, None),
            };
            probed.port == address.port()
                && path.as_bytes() == request.path()
                && query.map(str::as_bytes) == request.query()
                && Method::from_bytes(request.method()) == method(path)
        })
    }

    /// A connection that limits refused, as far as it may bring such a request all the same.
    pub(crate) fn after(&self, entry: &Entry, refusal: Refusal) -> Option<Turned> {
        let Entry::Application { address, .. } = *entry else {
            return None;
        };
        if self
            .paths
            .iter()
            .all(|probed| probed.port != address.port())
        {
            return None;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let refused = Some(Arc::new(refusal));
        Some((Rc::new(Entry::Application { address, refused }), place))
    }
}

fn method(path: &str) -> Method {
    if path.as_bytes() == GRPC_CHECK {
        Method::Post
    } else {
        Method::Get
    }
}
