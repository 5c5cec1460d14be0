//! The gRPC status codes, as numbers and as both spellings in use.

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Code {
    /// 0
    Ok,
    /// 1
    Cancelled,
    /// 2
    Unknown,
    /// 3
    InvalidArgument,
    /// 4
    DeadlineExceeded,
    /// 5
    NotFound,
    /// 6
    AlreadyExists,
    /// 7
    PermissionDenied,
    /// 8
    ResourceExhausted,
    /// 9
    FailedPrecondition,
    /// 10
    Aborted,
    /// 11
    OutOfRange,
    /// 12
    Unimplemented,
    /// 13
    Internal,
    /// 14
    Unavailable,
    /// 15
    DataLoss,
    /// 16
    Unauthenticated,
}

use Code::*;

/// Every code with its names: as policies spell it, and as the protocol does. In the order of the numbers.
const TABLE: [(Code, &str, &str); 17] = [
    (Ok, "Ok", "OK"),
    (Cancelled, "Cancelled", "CANCELLED"),
    (Unknown, "Unknown", "UNKNOWN"),
    (InvalidArgument, "InvalidArgument", "INVALID_ARGUMENT"),
    (DeadlineExceeded, "DeadlineExceeded", "DEADLINE_EXCEEDED"),
    (NotFound, "NotFound", "NOT_FOUND"),
    (AlreadyExists, "AlreadyExists", "ALREADY_EXISTS"),
    (PermissionDenied, "PermissionDenied", "PERMISSION_DENIED"),
    (ResourceExhausted, "ResourceExhausted", "RESOURCE_EXHAUSTED"),
    (
        FailedPrecondition,
        "FailedPrecondition",
        "FAILED_PRECONDITION",
    ),
    (Aborted, "Aborted", "ABORTED"),
    (OutOfRange, "OutOfRange", "OUT_OF_RANGE"),
    (Unimplemented, "Unimplemented", "UNIMPLEMENTED"),
    (Internal, "Internal", "INTERNAL"),
    (Unavailable, "Unavailable", "UNAVAILABLE"),
    (DataLoss, "DataLoss", "DATA_LOSS"),
    (Unauthenticated, "Unauthenticated", "UNAUTHENTICATED"),
];

impl Code {
    /// The code with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        TABLE.get(usize::from(number)).map(|row| row.0)
    }

    /// What clients make of an HTTP status that came instead of a gRPC one (`http-grpc-status-mapping.md`).
    #[must_use]
    pub const fn from_http_status(status: u16) -> Self {
        match status {
            400 => Internal,
            401 => Unauthenticated,
            403 => PermissionDenied,
            404 => Unimplemented,
            429 | 502..=504 => Unavailable,
            _ => Unknown,
        }
    }

    /// The code with this name in a policy, such as `DeadlineExceeded`.
    #[must_use]
    pub fn from_policy_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The code in a `grpc-status` field; what no specification knows counts as `Unknown`.
    #[must_use]
    pub fn from_status_field(field: &[u8]) -> Self {
        let number = std::str::from_utf8(field)
            .ok()
            .and_then(|text| text.parse().ok());
        number.and_then(Self::from_number).unwrap_or(Unknown)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The protocol's name, such as `DEADLINE_EXCEEDED`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].2
    }
}
