//! `SidecarAdminService` on a Unix socket, with health and reflection, for this user and root alone.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as Probe;
use std::path::Path;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, transport};

use crate::log::Log;
use crate::mesh::sidecar_admin_service_server::{
    SERVICE_NAME, SidecarAdminService, SidecarAdminServiceServer,
};
use crate::mesh::*;
use crate::operator::Operator;
use crate::{health, reflection};

/// Only its owner may connect.
const MODE: u32 = 0o600;
/// Rest after an accept that failed, as when descriptors have run out.
const REST: Duration = Duration::from_millis(100);

/// Listens at `path`, in place of a socket that nobody listens at any more.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && Probe::connect(path).is_err() {
        fs::remove_file(path)?; // left behind by a sidecar that was killed
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    Ok(listener)
}

/// Answers until the process ends.
pub(crate) async fn serve(listener: UnixListener, operator: Operator) {
    let (accepted, connections) = mpsc::channel(1);
    let (log, state) = (operator.log.clone(), operator.status.subscribe());
    let (health, following) = health::service(SERVICE_NAME, state);
    // Compiled with the program, so there is no error to tell: a test reads it all.
    let reflection = reflection::service(SERVICE_NAME).ok();
    let serving = transport::Server::builder()
        .add_service(SidecarAdminServiceServer::new(operator))
        .add_service(health)
        .add_optional_service(reflection)
        .serve_with_incoming(ReceiverStream::new(connections));
    tokio::select! {
        _ = serving => {} // ends only with its connections
        () = accept(listener, accepted, log) => {}
        () = following => {}
    }
}

/// Hands over the connections of processes that may ask.
async fn accept(listener: UnixListener, accepted: mpsc::Sender<io::Result<UnixStream>>, log: Log) {
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        if !connection.peer_cred().is_ok_and(|peer| may_ask(peer.uid())) {
            log.warn(
                "administration refused",
                &[("reason", &"another user's process")],
            );
        } else if accepted.send(Ok(connection)).await.is_err() {
            return;
        }
    }
}

fn may_ask(uid: u32) -> bool {
    // SAFETY: reads the process's own user and touches no memory.
    uid == 0 || uid == unsafe { libc::geteuid() }
}

#[tonic::async_trait]
impl SidecarAdminService for Operator {
    async fn get_configuration(
        &self,
        _: Request<GetConfigurationRequest>,
    ) -> Result<Response<GetConfigurationResponse>, Status> {
        Ok(Response::new(self.configuration()))
    }

    async fn list_sidecar_breakers(
        &self,
        request: Request<ListSidecarBreakersRequest>,
    ) -> Result<Response<ListSidecarBreakersResponse>, Status> {
        self.breakers(request.into_inner()).await.map(Response::new)
    }

    async fn list_sidecar_limits(
        &self,
        request: Request<ListSidecarLimitsRequest>,
    ) -> Result<Response<ListSidecarLimitsResponse>, Status> {
        self.limits(request.into_inner()).await.map(Response::new)
    }

    async fn list_sidecar_endpoints(
        &self,
        request: Request<ListSidecarEndpointsRequest>,
    ) -> Result<Response<ListSidecarEndpointsResponse>, Status> {
        self.endpoints(request.into_inner())
            .await
            .map(Response::new)
    }

    async fn list_sidecar_routes(
        &self,
        request: Request<ListSidecarRoutesRequest>,
    ) -> Result<Response<ListSidecarRoutesResponse>, Status> {
        self.routes(request.into_inner()).await.map(Response::new)
    }

    async fn get_stats(
        &self,
        _: Request<GetStatsRequest>,
    ) -> Result<Response<GetStatsResponse>, Status> {
        self.stats().await.map(Response::new)
    }

    async fn list_decisions(
        &self,
        request: Request<ListDecisionsRequest>,
    ) -> Result<Response<ListDecisionsResponse>, Status> {
        self.decisions(request.into_inner())
            .await
            .map(Response::new)
    }

    async fn explain_request(
        &self,
        request: Request<ExplainRequestRequest>,
    ) -> Result<Response<ExplainRequestResponse>, Status> {
        self.explain(request.into_inner()).await.map(Response::new)
    }

    async fn force_breaker(
        &self,
        request: Request<ForceBreakerRequest>,
    ) -> Result<Response<ForceBreakerResponse>, Status> {
        Self::force_breaker(self, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn drain(
        &self,
        request: Request<DrainRequest>,
    ) -> Result<Response<DrainResponse>, Status> {
        Self::drain(self, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn set_log_level(
        &self,
        request: Request<SetLogLevelRequest>,
    ) -> Result<Response<SetLogLevelResponse>, Status> {
        Self::set_log_level(self, request.get_ref()).map(Response::new)
    }
}
