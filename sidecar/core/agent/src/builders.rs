//! Resources for tests.

use prost::Message;

use crate::decode::version;
use crate::identity::ZONE;
use crate::mesh;
use crate::resource::{Id, Kind, Resource};

fn service(name: &str) -> Option<mesh::ServiceName> {
    Some(mesh::ServiceName {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    })
}

/// `body` as the resource `name`, at its true version.
pub(crate) fn resource(kind: Kind, name: &str, body: &impl Message) -> Resource {
    let body = body.encode_to_vec();
    Resource {
        id: Id::new(kind, name),
        version: version(&body),
        body,
    }
}

/// The settings of the mesh, where host names lead to the service `name` of `shop`.
pub(crate) fn mesh_of(name: &str) -> Resource {
    mesh(service(name).into_iter().collect())
}

/// The same, where they lead to none.
pub(crate) fn mesh_without_names() -> Resource {
    mesh(Vec::new())
}

fn mesh(named_services: Vec<mesh::ServiceName>) -> Resource {
    let body = mesh::MeshSettings {
        named_services,
        ..Default::default()
    };
    resource(Kind::Mesh, "default", &body)
}

/// `host` leads to the service `name` of `shop`.
pub(crate) fn host(host: &str, name: &str) -> Resource {
    resource(
        Kind::Host,
        host,
        &mesh::HostBinding {
            service: service(name),
            ..Default::default()
        },
    )
}

/// The service `name` of `shop`, whose methods are told apart by `methods`.
pub(crate) fn outbound(name: &str, methods: &[&str]) -> Resource {
    let body = mesh::Outbound {
        service: service(name),
        ports: vec![mesh::ServicePort {
            name: "http".to_owned(),
            port: 80,
            protocol: 0,
        }],
        variants: vec![mesh::OutboundVariant::default()],
        idempotent_methods: methods.iter().map(|&method| method.to_owned()).collect(),
        ..Default::default()
    };
    resource(Kind::Outbound, &format!("shop/{name}"), &body)
}

/// Its endpoints: none.
pub(crate) fn endpoints(name: &str) -> Resource {
    let body = mesh::Endpoints {
        service: service(name),
        ..Default::default()
    };
    resource(Kind::Endpoints, &format!("shop/{name}"), &body)
}

/// Its endpoints: wherever the host `at` leads.
pub(crate) fn endpoints_at(name: &str, at: &str) -> Resource {
    let endpoint = mesh::Endpoint {
        instance: format!("external/shop/{name}/{at}"),
        address: at.to_owned(),
        ports: [("http".to_owned(), 80)].into(),
        ..Default::default()
    };
    let body = mesh::Endpoints {
        service: service(name),
        endpoints: vec![endpoint],
        resolution: mesh::Resolution::Dns.into(),
    };
    resource(Kind::Endpoints, &format!("shop/{name}"), &body)
}

/// What its members enforce: nothing.
pub(crate) fn inbound(name: &str) -> Resource {
    let body = mesh::Inbound {
        service: service(name),
        ..Default::default()
    };
    resource(Kind::Inbound, &format!("shop/{name}"), &body)
}

/// Its endpoints: one that runs in `zone`.
pub(crate) fn endpoints_in(name: &str, zone: &str) -> Resource {
    let endpoint = mesh::Endpoint {
        instance: format!("{name}-0"),
        address: "10.0.0.1".to_owned(),
        ports: [("http".to_owned(), 80)].into(),
        labels: [(ZONE.to_owned(), zone.to_owned())].into(),
        ..Default::default()
    };
    let body = mesh::Endpoints {
        service: service(name),
        endpoints: vec![endpoint],
        ..Default::default()
    };
    resource(Kind::Endpoints, &format!("shop/{name}"), &body)
}

/// The workload `name` of `shop` stands behind services of `shop` at ports.
pub(crate) fn workload(name: &str, members: &[(u32, &str)]) -> Resource {
    workload_in("", name, members)
}

/// The same, in a zone.
pub(crate) fn workload_in(zone: &str, name: &str, members: &[(u32, &str)]) -> Resource {
    let members = members.iter().map(|&(port, name)| mesh::WorkloadMember {
        port,
        service: service(name),
        zone: zone.to_owned(),
        protocol: 0,
    });
    let body = mesh::Workload {
        members: members.collect(),
    };
    resource(Kind::Workload, &format!("shop/{name}"), &body)
}

/// A resource of that kind and name that nobody can read.
pub(crate) fn unreadable(kind: Kind, name: &str) -> Resource {
    let body = vec![0xff; 4];
    Resource {
        id: Id::new(kind, name),
        version: version(&body),
        body,
    }
}
