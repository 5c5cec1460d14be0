//! The last good configuration as a file holds it: format, checksum, owner, and order among its like. Pure.
//!
//! ```text
//! "breakwater" | format, 1 byte | SHA-256 of the rest, 32 bytes | Saved, encoded
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use prost::Message;
use sha2::{Digest, Sha256};

use crate::mesh;

const MAGIC: &[u8] = b"breakwater";
const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 32;

/// Everything that a sidecar needs to serve without a control plane.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Saved {
    /// The sidecar it belongs to.
    #[prost(string, tag = "1")]
    pub(crate) instance: String,
    /// Grows with every save, over restarts too.
    #[prost(uint64, tag = "2")]
    pub(crate) sequence: u64,
    /// Newest revision at which everything was applied.
    #[prost(int64, tag = "3")]
    pub(crate) revision: i64,
    /// What was applied.
    #[prost(message, repeated, tag = "4")]
    pub(crate) applied: Vec<mesh::Resource>,
    /// What had been applied until nobody called it any more, least recent first.
    #[prost(message, repeated, tag = "5")]
    pub(crate) lapsed: Vec<mesh::Resource>,
    /// Live callers of each service, as last told.
    #[prost(message, repeated, tag = "6")]
    pub(crate) callers: Vec<mesh::CallerCount>,
    /// Addresses that host names were last known to have.
    #[prost(message, repeated, tag = "7")]
    pub(crate) hosts: Vec<SavedHost>,
}

/// A host name with its addresses.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SavedHost {
    /// The name.
    #[prost(string, tag = "1")]
    pub(crate) host: String,
    /// The addresses, as text.
    #[prost(string, repeated, tag = "2")]
    pub(crate) addresses: Vec<String>,
}

impl SavedHost {
    pub(crate) fn encode(host: &str, addresses: &[IpAddr]) -> Self {
        Self {
            host: host.to_owned(),
            addresses: addresses.iter().map(IpAddr::to_string).collect(),
        }
    }

    pub(crate) fn decode(&self) -> (Arc<str>, Vec<IpAddr>) {
        let addresses = self.addresses.iter().filter_map(|text| text.parse().ok());
        (self.host.as_str().into(), addresses.collect())
    }
}

/// Why a file is not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it is no configuration of a sidecar")]
    Foreign,
    #[error("it has another format")]
    Format,
    #[error("its checksum does not hold")]
    Checksum,
    #[error("it belongs to another instance")]
    Instance,
    #[error("it is older than one that was loaded")]
    Old,
}

impl Saved {
    /// Itself, unless it is older than `oldest`.
    pub(crate) fn not_before(self, oldest: u64) -> Result<Self, Fault> {
        if self.sequence >= oldest {
            Ok(self)
        } else {
            Err(Fault::Old)
        }
    }
}

/// The bytes of a file.
pub(crate) fn encode(saved: &Saved) -> Vec<u8> {
    let body = saved.encode_to_vec();
    let mut file = Vec::with_capacity(MAGIC.len() + 1 + CHECKSUM_BYTES + body.len());
    file.extend_from_slice(MAGIC);
    file.push(FORMAT);
    file.extend_from_slice(&Sha256::digest(&body));
    file.extend_from_slice(&body);
    file
}

/// What a file of `instance` holds.
pub(crate) fn decode(file: &[u8], instance: &str) -> Result<Saved, Fault> {
    let rest = file.strip_prefix(MAGIC).ok_or(Fault::Foreign)?;
    let (format, rest) = rest.split_first().ok_or(Fault::Foreign)?;
    if *format != FORMAT {
        return Err(Fault::Format);
    }
    let (checksum, body) = rest
        .split_at_checked(CHECKSUM_BYTES)
        .ok_or(Fault::Checksum)?;
    if Sha256::digest(body).as_slice() != checksum {
        return Err(Fault::Checksum);
    }
    let saved = Saved::decode(body).map_err(|_| Fault::Checksum)?;
    if saved.instance == instance {
        Ok(saved)
    } else {
        Err(Fault::Instance)
    }
}

#[cfg(test)]
mod tests;
