//! Percentages and factors: floats in Python, exact in the core.

use policy::Percent;
use policy::backoff::Multiplier;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A percentage to the nearest ten-thousandth of a percent.
pub(super) fn percent(value: &Bound<'_, PyAny>) -> PyResult<Percent> {
    Ok(Percent::from_millionths(scaled(value, 10_000.0)?))
}

/// The same, where it can be off.
pub(super) fn optional_percent(value: &Bound<'_, PyAny>) -> PyResult<Option<Percent>> {
    if value.is_none() {
        Ok(None)
    } else {
        percent(value).map(Some)
    }
}

/// A factor to the nearest thousandth.
pub(super) fn multiplier(value: &Bound<'_, PyAny>) -> PyResult<Multiplier> {
    Ok(Multiplier::from_thousandths(scaled(value, 1_000.0)?))
}

fn scaled(value: &Bound<'_, PyAny>, scale: f64) -> PyResult<u32> {
    let number: f64 = value.extract()?;
    let scaled = (number * scale).round();
    if (0.0..=f64::from(u32::MAX)).contains(&scaled) {
        return Ok(scaled as u32);
    }
    Err(PyValueError::new_err(format!(
        "expected a number from 0 to {}, found {number}",
        f64::from(u32::MAX) / scale
    )))
}
