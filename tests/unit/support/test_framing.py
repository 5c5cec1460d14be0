"""Messages are cut out of a stream strictly."""

import pytest

from tests.support.framing import FramingError, all_messages, first_message

CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_message_without_a_length_ends_with_its_head() -> None:
    message = first_message(b"GET / HTTP/1.1\r\nHost:  svc \r\n\r\nGET /2")
    assert message is not None
    assert (message.start_line, message.fields) == (b"GET / HTTP/1.1", ((b"host", b"svc"),))
    assert message.length == 31


def test_a_counted_body_is_as_long_as_stated() -> None:
    message = first_message(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello")
    assert message is not None
    assert (message.status, message.body) == (200, b"he")


def test_a_response_to_head_has_no_body() -> None:
    message = first_message(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", has_body=False)
    assert message is not None
    assert message.body == b""


@pytest.mark.parametrize("status", [b"101", b"204", b"304"])
def test_some_statuses_have_no_body_whatever_they_state(status: bytes) -> None:
    data = b"HTTP/1.1 " + status + b" X\r\nContent-Length: 2\r\n\r\n"
    message = first_message(data)
    assert message is not None
    assert message.length == len(data)


def test_chunks_are_joined_and_trailers_kept() -> None:
    message = first_message(CHUNKED + b"5\r\nhello\r\nA\r\n, my world\r\n0\r\nSum: 1\r\n\r\nrest")
    assert message is not None
    assert (message.body, message.trailers) == (b"hello, my world", ((b"sum", b"1"),))


def test_a_message_is_incomplete_at_every_cut() -> None:
    whole = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
    assert [cut for cut in range(len(whole)) if first_message(whole[:cut]) is not None] == []
    assert first_message(whole) is not None


@pytest.mark.parametrize(
    "data",
    [
        CHUNKED + b"5;x=1\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : svc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(FramingError, match="expected"):
        first_message(data)


def test_pipelined_messages_are_told_apart_and_the_rest_returned() -> None:
    messages, rest = all_messages(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3")
    assert [message.start_line for message in messages] == [b"GET /1 HTTP/1.1", b"GET /2 HTTP/1.1"]
    assert rest == b"GET /3"
