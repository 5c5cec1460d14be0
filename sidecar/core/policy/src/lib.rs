//! The pure policy machines: breaker, limiters, retry, budget, bulkhead, balancer.
//!
//! Nothing here reads a clock, draws a random number, opens a socket or waits. Time is `now_ns`, a monotonic
//! count of nanoseconds; chance is a `draw`, 64 uniform bits; both are arguments. So a decision can be
//! replayed, simulated and compared with a naive model, and the code under test is the code in production.
#![forbid(unsafe_code)]

pub mod admission;
pub mod backoff;
pub mod backpressure;
pub mod balancer;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod condition;
pub mod criticality;
pub mod deadline;
mod draw;
pub mod ending;
pub mod fallback;
pub mod fault;
pub mod grpc;
pub mod health_check;
pub mod hedge;
pub mod histogram;
pub mod instance_groups;
pub mod latency;
mod lists;
pub mod method;
pub mod moment;
pub mod outcome;
pub mod outlier;
pub mod overload;
pub mod percent;
pub mod rate_limit;
pub mod readiness;
pub mod reason;
pub mod retry;
pub mod route;
pub mod split;
pub mod standstill;
mod steps;
pub mod trace_context;
mod waiters;
mod window;

pub use criticality::Criticality;
pub use moment::Moment;
pub use outcome::Outcome;
pub use percent::Percent;
pub use reason::Reason;
