//! What a rule of a route changes in heads.

use crate::config::HeaderEdits;
use crate::request::Edit;

/// Leaves out, puts in place, adds, in that order.
pub(crate) fn apply(edits: Option<&HeaderEdits>, edit: &mut dyn Edit) {
    let Some(edits) = edits else {
        return;
    };
    for name in &edits.remove {
        edit.remove_field(name);
    }
    for (name, value) in &edits.set {
        edit.remove_field(name);
        edit.add_field(name, value);
    }
    for (name, value) in &edits.add {
        edit.add_field(name, value);
    }
}
