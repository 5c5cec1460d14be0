//! The pure policy machines: breaker, limiters, retry, budget, bulkhead, balancer.
