"""etcd's messages: requests from what the store is asked, and answers to what it returns."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Generic, TypeVar

from mesh.etcd.v1 import etcd_pb2 as pb
from registry.errors import RevisionMismatchError
from registry.model import LeaseId, Revision
from registry.store import ABSENT, Action, Batch, Change, Check, Delete, Entry, Put, Write

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

# The end of a range that has none.
_NO_END: Final = b"\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method(Generic[_Request, _Response]):
    """One of etcd's methods."""

    path: str
    encode: Callable[[_Request], bytes]
    decode: Callable[[bytes], _Response]


RANGE: Final = Method(
    path="/etcdserverpb.KV/Range",
    encode=pb.RangeRequest.SerializeToString,
    decode=pb.RangeResponse.FromString,
)
TRANSACTION: Final = Method(
    path="/etcdserverpb.KV/Txn", encode=pb.TxnRequest.SerializeToString, decode=pb.TxnResponse.FromString
)
WATCH: Final = Method(
    path="/etcdserverpb.Watch/Watch",
    encode=pb.WatchRequest.SerializeToString,
    decode=pb.WatchResponse.FromString,
)
GRANT: Final = Method(
    path="/etcdserverpb.Lease/LeaseGrant",
    encode=pb.LeaseGrantRequest.SerializeToString,
    decode=pb.LeaseGrantResponse.FromString,
)
REVOKE: Final = Method(
    path="/etcdserverpb.Lease/LeaseRevoke",
    encode=pb.LeaseRevokeRequest.SerializeToString,
    decode=pb.LeaseRevokeResponse.FromString,
)
KEEP_ALIVE: Final = Method(
    path="/etcdserverpb.Lease/LeaseKeepAlive",
    encode=pb.LeaseKeepAliveRequest.SerializeToString,
    decode=pb.LeaseKeepAliveResponse.FromString,
)
AUTHENTICATE: Final = Method(
    path="/etcdserverpb.Auth/Authenticate",
    encode=pb.AuthenticateRequest.SerializeToString,
    decode=pb.AuthenticateResponse.FromString,
)


def encode_key(key: str) -> bytes:
    """The bytes of a key; other programs' keys need not be text."""
    return key.encode(errors="surrogateescape")


def _decode_key(key: bytes) -> str:
    return key.decode(errors="surrogateescape")


def prefix_end(prefix: bytes) -> bytes:
    """The end of the range of keys that begin with `prefix`."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else _NO_END


def get_request(key: str) -> pb.RangeRequest:
    """Asks for one entry."""
    return pb.RangeRequest(key=encode_key(key))


def newest_request(prefix: str) -> pb.RangeRequest:
    """Asks for nothing but the newest revision, of a member that may be asked about `prefix`."""
    start = encode_key(prefix)
    return pb.RangeRequest(key=start or _NO_END, range_end=prefix_end(start), limit=1, keys_only=True)


def page_request(prefix: str, after: Entry | None, revision: Revision, limit: int) -> pb.RangeRequest:
    """Asks for the entries under `prefix` past one of them, as of `revision`, 0 for the newest."""
    start = encode_key(prefix)
    begin = encode_key(after.key) + b"\0" if after else start or _NO_END
    return pb.RangeRequest(key=begin, range_end=prefix_end(start), limit=limit, revision=revision)


def decode_entries(response: pb.RangeResponse) -> tuple[Entry, ...]:
    """The entries in an answer, sorted by key."""
    return tuple(map(_decode_entry, response.kvs))


def transaction_request(actions: Iterable[Action], checks: Sequence[Check]) -> pb.TxnRequest:
    """Asks for `actions` if `checks` hold, and otherwise for what was found instead."""
    return pb.TxnRequest(
        compare=map(_encode_check, checks),
        success=map(_encode_action, actions),
        failure=[
            pb.RequestOp(request_range=pb.RangeRequest(key=encode_key(check.key), keys_only=True))
            for check in checks
        ],
    )


def decode_mismatch(response: pb.TxnResponse, checks: Iterable[Check]) -> RevisionMismatchError:
    """The first of the checks that did not hold."""
    for check, answer in zip(checks, response.responses, strict=True):
        kvs = answer.response_range.kvs
        found = Revision(kvs[0].mod_revision) if kvs else ABSENT
        if found != check.revision:
            return RevisionMismatchError(check.key, expected=check.revision, found=found)
    raise AssertionError("etcd reports a mismatch and finds none")


def watch_request(prefix: str, from_revision: Revision) -> pb.WatchRequest:
    """Begins a watch."""
    start = encode_key(prefix)
    create = pb.WatchCreateRequest(
        key=start or _NO_END, range_end=prefix_end(start), start_revision=from_revision, fragment=True
    )
    return pb.WatchRequest(create_request=create)


def progress_request() -> pb.WatchRequest:
    """Asks a watch how far it has come."""
    return pb.WatchRequest(progress_request=pb.WatchProgressRequest())


def decode_changes(events: Iterable[pb.Event]) -> Batch:
    """The changes that events stand for, by revision, then by key."""
    return tuple(sorted(map(_decode_event, events), key=attrgetter("revision", "key")))


def grant_request(lease_id: LeaseId, ttl_seconds: int) -> pb.LeaseGrantRequest:
    """Asks for a lease."""
    return pb.LeaseGrantRequest(id=lease_id, ttl=ttl_seconds)


def revoke_request(lease_id: LeaseId) -> pb.LeaseRevokeRequest:
    """Ends a lease."""
    return pb.LeaseRevokeRequest(id=lease_id)


def keep_alive_request(lease_id: LeaseId) -> pb.LeaseKeepAliveRequest:
    """Renews a lease."""
    return pb.LeaseKeepAliveRequest(id=lease_id)


def authenticate_request(user: str, password: str) -> pb.AuthenticateRequest:
    """Asks for a token."""
    return pb.AuthenticateRequest(name=user, password=password)


def _encode_check(check: Check) -> pb.Compare:
    return pb.Compare(
        target=pb.COMPARE_TARGET_MOD_REVISION, key=encode_key(check.key), mod_revision=check.revision
    )


def _encode_action(action: Action) -> pb.RequestOp:
    key = encode_key(action.key)
    if isinstance(action, Write):
        return pb.RequestOp(request_put=pb.PutRequest(key=key, value=action.value, lease=action.lease or 0))
    return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key))


def _decode_entry(kv: pb.KeyValue) -> Entry:
    return Entry(
        key=_decode_key(kv.key),
        value=kv.value,
        revision=Revision(kv.mod_revision),
        lease=LeaseId(kv.lease) if kv.lease else None,
    )


def _decode_event(event: pb.Event) -> Change:
    if event.is_delete:
        return Delete(key=_decode_key(event.kv.key), revision=Revision(event.kv.mod_revision))
    return Put(entry=_decode_entry(event.kv))
