//! Names of services and policies, cheap to clone and to compare.

use std::fmt;
use std::sync::Arc;

/// A service: `namespace/name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// The service `name` of `namespace`.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(format!("{namespace}/{name}").into())
    }

    /// The service written `namespace/name`; `None` without exactly one slash between two words.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        let is_whole = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
        is_whole.then(|| Self(text.into()))
    }

    /// `namespace/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the slash.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0
            .split_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    /// What stands after the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(_, name)| name)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The policy that a block or a limit came from, as `Proxy-Status` and `explain` name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyRef {
    /// Kind, such as `ResiliencePolicy`.
    pub kind: Box<str>,
    /// Namespace; empty for the Mesh.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Generation of the object.
    pub generation: i64,
}

impl PolicyRef {
    /// Whether both name one object, at whatever generation.
    #[must_use]
    pub fn is_same_object(&self, other: &Self) -> bool {
        (&self.name, &self.namespace, &self.kind) == (&other.name, &other.namespace, &other.kind)
    }
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return out.write_str(&self.name);
        }
        write!(out, "{}/{}", self.namespace, self.name)
    }
}
