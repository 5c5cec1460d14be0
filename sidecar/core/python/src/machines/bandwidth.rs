//! Bandwidth.

use policy::Moment;
use policy::rate_limit::{Key, Limiter, Params, WhenKeysFull, bandwidth};
use pyo3::prelude::*;

/// A limit of bandwidth with its counts.
#[pyclass(module = "sidecar._core")]
struct Bandwidth {
    bandwidth: bandwidth::Bandwidth,
    limiter: Limiter,
}

#[derive(IntoPyObject)]
enum Allowance {
    Bytes(u64),
    After(Wait),
}

/// How long a read has to wait.
#[pyclass(frozen, get_all, module = "sidecar._core")]
struct Wait {
    wait_ns: u64,
}

const fn moment(now_ns: u64) -> Moment {
    Moment {
        now_ns,
        unix_ns: now_ns,
    }
}

#[pymethods]
impl Bandwidth {
    #[new]
    fn new(bytes_per_second: u64) -> Self {
        let bandwidth = bandwidth::Bandwidth::new(bytes_per_second);
        let limiter = Limiter::new(Params {
            algorithm: bandwidth.algorithm(),
            max_keys: 65_536,
            when_keys_full: WhenKeysFull::ShareOne,
            count_refused: false,
        });
        Self { bandwidth, limiter }
    }

    #[pyo3(signature = (now_ns, key = None))]
    fn allowance(&mut self, now_ns: u64, key: Option<Key>) -> Allowance {
        let at = moment(now_ns);
        let allowance = self.bandwidth.allowance(&mut self.limiter, key, at);
        allowance.map_or_else(
            |wait_ns| Allowance::After(Wait { wait_ns }),
            Allowance::Bytes,
        )
    }

    #[pyo3(signature = (count, now_ns, key = None))]
    fn spend(&mut self, count: u64, now_ns: u64, key: Option<Key>) {
        self.bandwidth
            .spend(&mut self.limiter, key, count, moment(now_ns));
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Bandwidth>()?;
    module.add_class::<Wait>()
}
