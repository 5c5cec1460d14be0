"""Messages about the history of policies."""

from controlplane.admin.codec import encode_problem
from controlplane.admin.history.policies import Difference, RolledBack
from controlplane.history.ledger import Summary, outcome
from controlplane.history.record import Change
from controlplane.model.effective import PolicyRef
from controlplane.snapshot.codec import encode_policy_ref
from mesh.v1 import admin_pb2


def encode_summary(summary: Summary) -> admin_pb2.RevisionSummary:
    """A revision of the policy set."""
    message = admin_pb2.RevisionSummary(
        revision=summary.revision,
        origin=summary.cause.origin.value,
        rollback_of=summary.cause.of,
        author=summary.cause.author,
        created=summary.counts.get("created", 0),
        configured=summary.counts.get("configured", 0),
        deleted=summary.counts.get("deleted", 0),
        changes=[
            admin_pb2.PolicyChange(
                policy=encode_policy_ref(PolicyRef(key=key, generation=0)), outcome=outcome
            )
            for key, outcome in summary.first
        ],
    )
    message.at.FromDatetime(summary.at)
    return message


def encode_change(change: Change) -> admin_pb2.PolicyChange:
    """What became of an object, with both texts."""
    item = change.after or change.before
    before, after = (one.text if one else "" for one in (change.before, change.after))
    return admin_pb2.PolicyChange(
        policy=encode_policy_ref(PolicyRef(key=change.key, generation=item.generation if item else 0)),
        outcome=outcome(change),
        source=item.source if item else "",
        before=before,
        after=after,
    )


def encode_difference(difference: Difference) -> admin_pb2.DiffPoliciesResponse:
    """What differs between two revisions."""
    message = admin_pb2.DiffPoliciesResponse(
        to=difference.end, changes=map(encode_change, difference.changes)
    )
    # A keyword of Python, so that it cannot be an argument.
    setattr(message, "from", difference.start)
    return message


def encode_rolled_back(rolled_back: RolledBack) -> admin_pb2.RollBackPoliciesResponse:
    """What became of a rollback."""
    return admin_pb2.RollBackPoliciesResponse(
        changes=map(encode_change, rolled_back.plan.changes),
        refused=map(encode_problem, rolled_back.plan.refused),
        problems=map(encode_problem, rolled_back.problems),
        revision=rolled_back.revision,
    )
