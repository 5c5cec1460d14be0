"""etcd's messages, and what they stand for."""

import pytest

from mesh.etcd.v1 import etcd_pb2 as pb
from registry.etcd.codec import decode_changes, decode_entries, page_request, prefix_end, watch_request
from registry.model import LeaseId, Revision
from registry.store import Delete, Entry, Put


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"/a/", b"/a0"), (b"a\xff", b"b"), (b"a\xff\xff", b"b"), (b"\xff", b"\0"), (b"", b"\0")],
)
def test_range_of_a_prefix_ends_before_the_first_key_without_it(prefix: bytes, end: bytes) -> None:
    assert prefix_end(prefix) == end


def test_page_begins_just_past_the_last_entry_of_the_one_before() -> None:
    last = Entry(key="/a/1", value=b"", revision=Revision(1))
    request = page_request("/a/", last, Revision(7), 10)

    assert (request.key, request.range_end, request.revision) == (b"/a/1\0", b"/a0", 7)


def test_no_prefix_is_every_key() -> None:
    request = watch_request("", Revision(1)).create_request

    assert (request.key, request.range_end) == (b"\0", b"\0")


def test_entry_without_a_lease_has_none() -> None:
    kvs = [
        pb.KeyValue(key=b"/a", value=b"1", mod_revision=3),
        pb.KeyValue(key=b"/b", mod_revision=4, lease=9),
    ]

    assert decode_entries(pb.RangeResponse(kvs=kvs)) == (
        Entry(key="/a", value=b"1", revision=Revision(3)),
        Entry(key="/b", value=b"", revision=Revision(4), lease=LeaseId(9)),
    )


def test_key_of_another_program_need_not_be_text() -> None:
    (entry,) = decode_entries(pb.RangeResponse(kvs=[pb.KeyValue(key=b"/\xfe", mod_revision=1)]))

    assert page_request("/", entry, Revision(1), 1).key == b"/\xfe\0"


def test_changes_of_one_revision_are_sorted_by_key() -> None:
    events = [
        pb.Event(kv=pb.KeyValue(key=b"/b", mod_revision=2)),
        pb.Event(is_delete=True, kv=pb.KeyValue(key=b"/a", mod_revision=2)),
        pb.Event(kv=pb.KeyValue(key=b"/c", mod_revision=1)),
    ]

    assert decode_changes(events) == (
        Put(entry=Entry(key="/c", value=b"", revision=Revision(1))),
        Delete(key="/a", revision=Revision(2)),
        Put(entry=Entry(key="/b", value=b"", revision=Revision(2))),
    )
