//! Names as callers write them, brought into the one form that configuration knows.

use smallvec::SmallVec;

/// A host name in its canonical form, on the stack when it is of common length.
pub(crate) type Host = SmallVec<[u8; 64]>;

/// How Kubernetes ends the names of services.
const SUFFIXES: [&[u8]; 2] = [b".svc.cluster.local", b".svc"];

/// `host` in lower case, without the root's dot and without what Kubernetes adds; a name without a dot gets
/// `namespace` after it. Addresses stay as they are.
pub(crate) fn canonical(host: &[u8], namespace: &str) -> Host {
    let mut name = Host::from_slice(http1::without_root(host));
    name.make_ascii_lowercase();
    if let Some(suffix) = SUFFIXES.iter().find(|suffix| name.ends_with(suffix)) {
        name.truncate(name.len() - suffix.len());
    }
    if !name.contains(&b'.') && name.first() != Some(&b'[') {
        name.push(b'.');
        name.extend_from_slice(namespace.as_bytes());
    }
    name
}

#[cfg(test)]
mod tests;
