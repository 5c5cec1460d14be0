//! Answers questions and carries out orders, wherever they come from.

use std::time::Duration;

use policy::breaker::Forced;
use proxy::config::ServiceName;
use proxy::report::{Direction, Question};
use proxy::{Ended, Force, ForceError, Handle};
use tokio::sync::mpsc;
use tonic::Status as Answer;

use crate::departure::{Drain, OutboundUntil};
use crate::encode;
use crate::log::{Level, Log};
use crate::mesh;
use crate::metrics::Metrics;
use crate::status::Status;

/// Longest order over a breaker.
const LONGEST_ORDER: Duration = Duration::from_secs(24 * 3_600);
/// Refusals told when the question does not say how many.
const DECISIONS: u32 = 50;

type Result<T> = std::result::Result<T, Answer>;

/// Everything that answers are made of.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) instance: String,
    pub(crate) services: Vec<ServiceName>,
    pub(crate) proxy: Handle,
    pub(crate) status: Status,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) drains: mpsc::Sender<Drain>,
}

impl Operator {
    pub(crate) fn configuration(&self) -> mesh::GetConfigurationResponse {
        let state = self.status.borrow();
        let is_told = self.services.is_empty(); // by the control plane
        let services = if is_told {
            &state.services
        } else {
            &self.services
        };
        mesh::GetConfigurationResponse {
            instance: self.instance.clone(),
            services: services.iter().map(encode::service).collect(),
            version: crate::VERSION.to_owned(),
            revision: state.revision,
            resources: state
                .applied
                .iter()
                .map(|resource| resource.encode())
                .collect(),
            connected: state.is_connected,
            source: state
                .source
                .map(|source| source.as_str().to_owned())
                .unwrap_or_default(),
            rejections: state
                .rejections
                .iter()
                .map(|rejection| rejection.encode())
                .collect(),
            unenforced: state.is_unenforced,
        }
    }

    pub(crate) async fn breakers(
        &self,
        request: mesh::ListSidecarBreakersRequest,
    ) -> Result<mesh::ListSidecarBreakersResponse> {
        let only = encode::decode_service(request.service);
        let mut all = self.proxy.breakers().await.map_err(ended)?;
        all.retain(|status| {
            only.as_ref()
                .is_none_or(|service| *service == status.service)
        });
        Ok(mesh::ListSidecarBreakersResponse {
            breakers: all.iter().map(encode::breaker).collect(),
        })
    }

    pub(crate) async fn limits(
        &self,
        request: mesh::ListSidecarLimitsRequest,
    ) -> Result<mesh::ListSidecarLimitsResponse> {
        let only = encode::decode_service(request.service);
        let mut all = self.proxy.limits().await.map_err(ended)?;
        all.retain(|status| {
            only.as_ref()
                .is_none_or(|service| *service == status.service)
        });
        Ok(mesh::ListSidecarLimitsResponse {
            limits: all.iter().map(encode::limit).collect(),
        })
    }

    pub(crate) async fn endpoints(
        &self,
        request: mesh::ListSidecarEndpointsRequest,
    ) -> Result<mesh::ListSidecarEndpointsResponse> {
        let only = encode::decode_service(request.service);
        let mut all = self.proxy.endpoints().await.map_err(ended)?;
        all.retain(|status| {
            only.as_ref()
                .is_none_or(|service| *service == status.service)
        });
        let mut hosts = self.status.borrow().hosts.clone();
        hosts.retain(|(service, _)| only.as_ref().is_none_or(|only| only == service));
        Ok(mesh::ListSidecarEndpointsResponse {
            endpoints: all.iter().map(encode::endpoint).collect(),
            hosts: hosts
                .iter()
                .map(|(service, status)| encode::host(service, status))
                .collect(),
        })
    }

    pub(crate) async fn routes(
        &self,
        request: mesh::ListSidecarRoutesRequest,
    ) -> Result<mesh::ListSidecarRoutesResponse> {
        let only = encode::decode_service(request.service);
        let mut all = self.proxy.routes().await.map_err(ended)?;
        all.retain(|status| {
            only.as_ref()
                .is_none_or(|service| *service == status.service)
        });
        Ok(mesh::ListSidecarRoutesResponse {
            routes: all.iter().map(encode::route).collect(),
        })
    }

    pub(crate) async fn stats(&self) -> Result<mesh::GetStatsResponse> {
        let stats = self.proxy.stats().await.map_err(ended)?;
        let families = self.metrics.join(stats.families);
        Ok(mesh::GetStatsResponse {
            families: families.iter().map(encode::family).collect(),
        })
    }

    pub(crate) async fn decisions(
        &self,
        request: mesh::ListDecisionsRequest,
    ) -> Result<mesh::ListDecisionsResponse> {
        let limit = if request.limit == 0 {
            DECISIONS
        } else {
            request.limit
        };
        let decisions = self.proxy.decisions(limit as usize).await.map_err(ended)?;
        Ok(mesh::ListDecisionsResponse {
            decisions: decisions.iter().map(encode::decision).collect(),
        })
    }

    pub(crate) async fn explain(
        &self,
        request: mesh::ExplainRequestRequest,
    ) -> Result<mesh::ExplainRequestResponse> {
        let direction = match request.direction() {
            mesh::Direction::Inbound => Direction::Inbound,
            mesh::Direction::Outbound | mesh::Direction::Unspecified => Direction::Outbound,
        };
        let or = |value: String, default: &str| {
            if value.is_empty() {
                default.to_owned()
            } else {
                value
            }
        };
        let question = Question {
            direction,
            service: named(request.service)?,
            method: or(request.method, "GET"),
            path: or(request.path, "/"),
            headers: request.headers.into_iter().collect(),
        };
        let explanation = self.proxy.explain(question).await.map_err(ended)?;
        Ok(encode::explanation(&explanation))
    }

    pub(crate) async fn force_breaker(
        &self,
        request: mesh::ForceBreakerRequest,
    ) -> Result<mesh::ForceBreakerResponse> {
        let force = Force {
            order: order(request.state(), request.ttl)?,
            endpoint: (!request.endpoint.is_empty()).then(|| request.endpoint.as_str().into()),
            route: (!request.route.is_empty()).then(|| request.route.into()),
            service: named(request.service)?,
        };
        let status = self
            .proxy
            .force_breaker(force)
            .await
            .map_err(|error| match error {
                ForceError::NoBreaker(_) => Answer::not_found(error.to_string()),
                ForceError::Ended(error) => ended(error),
            })?;
        self.log.warn(
            "breaker forced",
            &[
                ("service", &status.service),
                ("state", &status.state.as_str()),
            ],
        );
        Ok(mesh::ForceBreakerResponse {
            breaker: Some(encode::breaker(&status)),
        })
    }

    pub(crate) async fn drain(&self, request: mesh::DrainRequest) -> Result<mesh::DrainResponse> {
        let drain = Drain {
            delay: duration(request.delay)?.unwrap_or_default(),
            timeout: duration(request.timeout)?,
            outbound: request.outbound_until().into(),
        };
        let in_flight = self.proxy.stats().await.map_err(ended)?.in_flight;
        let _ = self.drains.try_send(drain); // a full channel: it drains already
        Ok(mesh::DrainResponse { in_flight })
    }

    pub(crate) fn set_log_level(
        &self,
        request: &mesh::SetLogLevelRequest,
    ) -> Result<mesh::SetLogLevelResponse> {
        let unknown = || {
            Answer::invalid_argument(format!(
                "expected error, warn, info or debug, found {:?}",
                request.level
            ))
        };
        self.log
            .set_level(Level::parse(&request.level).ok_or_else(unknown)?);
        Ok(mesh::SetLogLevelResponse {})
    }
}

fn ended(error: Ended) -> Answer {
    Answer::unavailable(error.to_string())
}

fn named(service: Option<mesh::ServiceName>) -> Result<ServiceName> {
    encode::decode_service(service)
        .ok_or_else(|| Answer::invalid_argument("expected a service, found none"))
}

fn duration(wire: Option<prost_types::Duration>) -> Result<Option<Duration>> {
    let read = |wire| {
        Duration::try_from(wire)
            .map_err(|_| Answer::invalid_argument("expected a duration of at least 0"))
    };
    wire.map(read).transpose()
}

impl From<mesh::OutboundUntil> for OutboundUntil {
    fn from(wire: mesh::OutboundUntil) -> Self {
        match wire {
            mesh::OutboundUntil::Unspecified | mesh::OutboundUntil::Now => Self::Now,
            mesh::OutboundUntil::Signal => Self::Signal,
            mesh::OutboundUntil::Unused => Self::Unused,
        }
    }
}

/// What is ordered and for how long; `None` gives the breaker back.
fn order(
    state: mesh::BreakerState,
    ttl: Option<prost_types::Duration>,
) -> Result<Option<(Forced, Duration)>> {
    let forced = match state {
        mesh::BreakerState::Closed => return Ok(None),
        mesh::BreakerState::ForcedOpen => Forced::Open,
        mesh::BreakerState::ForcedClosed => Forced::Closed,
        mesh::BreakerState::Disabled => Forced::Disabled,
        _ => {
            return Err(Answer::invalid_argument(
                "expected FORCED_OPEN, FORCED_CLOSED, DISABLED or CLOSED",
            ));
        }
    };
    let ttl = duration(ttl)?.filter(|ttl| !ttl.is_zero() && *ttl <= LONGEST_ORDER);
    let ttl = ttl
        .ok_or_else(|| Answer::invalid_argument("expected a ttl of more than 0 and at most 24h"))?;
    Ok(Some((forced, ttl)))
}
