//! Resources as the agent keeps them: named, at one version, encoded as they came.

use std::fmt;

use crate::mesh;

/// Kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Settings of the mesh.
    Mesh,
    /// A host name as called.
    Host,
    /// How callers treat a service.
    Outbound,
    /// The endpoints of a service.
    Endpoints,
    /// What the members of a service enforce.
    Inbound,
    /// The services that a workload stands behind.
    Workload,
}

/// Names one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl Id {
    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { kind, name }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.kind, self.name)
    }
}

/// One resource at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) id: Id,
    pub(crate) version: String,
    pub(crate) body: Vec<u8>,
}

/// Why a resource was refused: the field at fault, empty when the whole is, and what was expected and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) id: Id,
    pub(crate) version: String,
    pub(crate) field: String,
    pub(crate) reason: String,
}

impl Kind {
    const fn encode(self) -> mesh::ResourceType {
        match self {
            Self::Mesh => mesh::ResourceType::Mesh,
            Self::Host => mesh::ResourceType::Host,
            Self::Outbound => mesh::ResourceType::Outbound,
            Self::Endpoints => mesh::ResourceType::Endpoints,
            Self::Inbound => mesh::ResourceType::Inbound,
            Self::Workload => mesh::ResourceType::Workload,
        }
    }

    const fn decode(wire: mesh::ResourceType) -> Option<Self> {
        match wire {
            mesh::ResourceType::Unspecified => None,
            mesh::ResourceType::Mesh => Some(Self::Mesh),
            mesh::ResourceType::Host => Some(Self::Host),
            mesh::ResourceType::Outbound => Some(Self::Outbound),
            mesh::ResourceType::Endpoints => Some(Self::Endpoints),
            mesh::ResourceType::Inbound => Some(Self::Inbound),
            mesh::ResourceType::Workload => Some(Self::Workload),
        }
    }
}

impl Id {
    pub(crate) fn encode(&self) -> mesh::ResourceName {
        let name = self.name.clone();
        mesh::ResourceName {
            r#type: self.kind.encode().into(),
            name,
        }
    }

    /// The name that the control plane sent; `None` for a kind that this sidecar does not know.
    pub(crate) fn decode(wire: mesh::ResourceName) -> Option<Self> {
        Some(Self {
            kind: Kind::decode(wire.r#type())?,
            name: wire.name,
        })
    }
}

impl Resource {
    pub(crate) fn encode(&self) -> mesh::Resource {
        let (version, body) = (self.version.clone(), self.body.clone());
        mesh::Resource {
            id: Some(self.id.encode()),
            version,
            body,
        }
    }

    /// The resource that the control plane sent; `None` without a name or of an unknown kind.
    pub(crate) fn decode(wire: mesh::Resource) -> Option<Self> {
        let id = Id::decode(wire.id?)?;
        Some(Self {
            id,
            version: wire.version,
            body: wire.body,
        })
    }
}

impl Rejection {
    pub(crate) fn encode(&self) -> mesh::Rejection {
        mesh::Rejection {
            id: Some(self.id.encode()),
            version: self.version.clone(),
            field: self.field.clone(),
            reason: self.reason.clone(),
        }
    }
}
