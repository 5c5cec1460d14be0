//! Reads single fields, and keeps the path to each.

use std::fmt::Display;

use policy::Percent;
use policy::backoff::Multiplier;
use prost_types::{Duration, Timestamp};
use proxy::canonical_path;

use super::Fault;

/// Puts the name of the enclosing field before the path of a fault.
pub(super) trait Under<T> {
    fn under(self, parent: impl Display) -> Result<T, Fault>;
}

impl<T> Under<T> for Result<T, Fault> {
    fn under(self, parent: impl Display) -> Self {
        self.map_err(|fault| {
            let dot = if fault.field.is_empty() { "" } else { "." };
            Fault {
                field: format!("{parent}{dot}{}", fault.field),
                reason: fault.reason,
            }
        })
    }
}

/// A path in the form that those of requests are brought into.
pub(super) fn canonical(path: &str) -> Box<str> {
    String::from_utf8_lossy(&canonical_path(path.as_bytes())).into()
}

/// Every item read, each under `field[index]`.
pub(super) fn each<T, U>(
    field: &str,
    items: impl IntoIterator<Item = T>,
    mut read: impl FnMut(T) -> Result<U, Fault>,
) -> Result<Vec<U>, Fault> {
    let read = |(index, item)| read(item).under(format!("{field}[{index}]"));
    items.into_iter().enumerate().map(read).collect()
}

/// A message that must be there.
pub(super) fn required<T>(field: &str, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::new(field, "expected a value, found none"))
}

/// A name of a closed set; a word from a later version is refused rather than guessed at.
pub(super) fn enumeration<E: TryFrom<i32>>(field: &str, value: i32) -> Result<E, Fault> {
    E::try_from(value).map_err(|_| {
        Fault::new(
            field,
            format!("expected a value known here, found number {value}"),
        )
    })
}

/// Nanoseconds of a duration that must be there.
pub(super) fn nanoseconds(field: &str, value: Option<Duration>) -> Result<u64, Fault> {
    required(field, optional_nanoseconds(field, value)?)
}

/// Nanoseconds of a duration that may be absent.
pub(super) fn optional_nanoseconds(
    field: &str,
    value: Option<Duration>,
) -> Result<Option<u64>, Fault> {
    let read = |value: Duration| {
        let length = std::time::Duration::try_from(value).ok();
        length.and_then(|length| u64::try_from(length.as_nanos()).ok())
    };
    match value {
        Some(value) => read(value)
            .map(Some)
            .ok_or_else(|| Fault::new(field, format!("expected a duration, found {value}"))),
        None => Ok(None),
    }
}

/// Nanoseconds since 1970 of an instant that must be there.
pub(super) fn instant(field: &str, value: Option<Timestamp>) -> Result<u64, Fault> {
    let value = required(field, value)?;
    let seconds = u64::try_from(value.seconds).ok();
    let nanoseconds = u64::try_from(value.nanos).ok();
    let whole = seconds.and_then(|seconds| seconds.checked_mul(1_000_000_000));
    whole
        .and_then(|whole| whole.checked_add(nanoseconds?))
        .ok_or_else(|| {
            Fault::new(
                field,
                format!("expected an instant since 1970, found {value}"),
            )
        })
}

/// A duration that must be there.
pub(super) fn duration(field: &str, value: Option<Duration>) -> Result<std::time::Duration, Fault> {
    nanoseconds(field, value).map(std::time::Duration::from_nanos)
}

/// A duration that may be absent.
pub(super) fn optional_duration(
    field: &str,
    value: Option<Duration>,
) -> Result<Option<std::time::Duration>, Fault> {
    Ok(optional_nanoseconds(field, value)?.map(std::time::Duration::from_nanos))
}

/// A share, from 0 to 100. One that is too small to count is the smallest that does, rather than none at all.
pub(super) fn percent(field: &str, value: f64) -> Result<Percent, Fault> {
    if !(0.0..=100.0).contains(&value) {
        return Err(Fault::new(
            field,
            format!("expected a percentage from 0 to 100, found {value}"),
        ));
    }
    let least = u32::from(value > 0.0);
    Ok(Percent::from_millionths(
        least.max((value * 10_000.0).round() as u32),
    ))
}

/// A growth, from 1 to 100.
pub(super) fn multiplier(field: &str, value: f64) -> Result<Multiplier, Fault> {
    if !(1.0..=100.0).contains(&value) {
        return Err(Fault::new(
            field,
            format!("expected a multiplier from 1 to 100, found {value}"),
        ));
    }
    Ok(Multiplier::from_thousandths(
        (value * 1_000.0).round() as u32
    ))
}

/// A factor: a number above zero.
pub(super) fn factor(field: &str, value: f64) -> Result<f64, Fault> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(Fault::new(
        field,
        format!("expected a number above 0, found {value}"),
    ))
}

/// A number from 1 on.
pub(super) fn positive<N: Default + PartialEq>(field: &str, value: N) -> Result<N, Fault> {
    if value == N::default() {
        return Err(Fault::new(field, "expected at least 1, found 0"));
    }
    Ok(value)
}

/// A port.
pub(super) fn port(field: &str, value: u32) -> Result<u16, Fault> {
    let port = u16::try_from(value).ok().filter(|port| *port > 0);
    port.ok_or_else(|| {
        Fault::new(
            field,
            format!("expected a port from 1 to 65535, found {value}"),
        )
    })
}
