//! What stays and what goes.

use super::*;
use crate::resource::Kind;

fn resource(name: usize) -> Arc<Resource> {
    Arc::new(Resource {
        id: Id::new(Kind::Host, name.to_string()),
        version: String::new(),
        body: Vec::new(),
    })
}

#[test]
fn the_most_recent_stay() {
    let mut archive = Archive::default();
    (0..KEPT).for_each(|name| archive.put(resource(name)));
    archive.put(resource(0));
    archive.put(resource(KEPT));
    assert!(archive.take(&resource(1).id).is_none());
    assert!(archive.take(&resource(0).id).is_some());
    assert_eq!(archive.resources().len(), KEPT - 1);
}

#[test]
fn the_least_recent_comes_first() {
    let mut archive = Archive::default();
    [2, 1, 3]
        .into_iter()
        .for_each(|name| archive.put(resource(name)));
    let names: Vec<&str> = archive
        .resources()
        .iter()
        .map(|resource| resource.id.name.as_str())
        .collect();
    assert_eq!(names, ["2", "1", "3"]);
}
