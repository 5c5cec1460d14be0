//! What a worker tells about itself: plain values, copied out between requests.

mod direction;
mod events;
mod explanation;
mod health;
mod metrics;
mod routes;
mod spans;
mod status;

pub use direction::Direction;
pub use events::{Decision, Event, EventKind};
pub use explanation::{Explanation, Question, Step};
pub use health::{
    DoubtedEndpoint, EndpointHealth, EndpointVerdict, EndpointVotes, OthersHealth, OwnHealth,
};
pub use metrics::{Family, MetricKind, Point, Stats};
pub use routes::{BackendStatus, BlockPolicy, RouteStatus};
pub use spans::{Span, SpanKind};
pub use status::{BreakerStatus, EndpointStatus, LimitStatus};
