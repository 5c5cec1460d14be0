"""`traceparent` of W3C Trace Context, level 1, to the letter, and the share of traces that is recorded."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.machines.trace_context import encode_traceparent, is_trace_sampled, parse_traceparent
from tests.support.examples import thousands

LETTER = re.compile(
    rb"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?",
    re.DOTALL,
)
EXAMPLE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RANDOM_PARTS = 2**56

traces = st.integers(1, 2**128 - 1)
spans = st.integers(1, 2**64 - 1)


def expected(value: bytes) -> tuple[int, int, bool] | None:
    """What the specification makes of a value."""
    found = LETTER.fullmatch(value)
    if not found or found["version"] == b"ff" or (found["version"] == b"00" and found["rest"]):
        return None
    trace, span = int(found["trace"], 16), int(found["span"], 16)
    return (trace, span, bool(int(found["flags"], 16) & 1)) if trace and span else None


def edited(value: str, place: int, text: str, dropped: int) -> bytes:
    """A value that is nearly one: `dropped` characters at `place` replaced by `text`."""
    return (value[:place] + text + value[place + dropped :]).encode()


@thousands()
@given(trace=traces, span=spans, is_sampled=st.booleans())
def test_what_is_written_is_read(trace: int, span: int, is_sampled: bool) -> None:
    written = encode_traceparent(trace, span, is_sampled).encode()
    assert parse_traceparent(written) == expected(written) == (trace, span, is_sampled)


nearly = st.builds(
    edited,
    st.builds(encode_traceparent, traces, spans, st.booleans()),
    st.integers(0, 55),
    st.text("0123456789abcdefABCDEFg-_ \n\u00e9", max_size=4),
    st.integers(0, 4),
)


@thousands()
@given(value=st.one_of(nearly, st.binary(max_size=80)))
@example(value=EXAMPLE.encode().upper())
@example(value=EXAMPLE.replace("00-", "01-", 1).encode() + b"-more")
@example(value=EXAMPLE.encode() * 2_000)
def test_nothing_is_read_but_what_the_letter_allows(value: bytes) -> None:
    assert parse_traceparent(value) == expected(value)


@thousands()
@given(trace=traces, share=st.floats(0, 100), more=st.floats(0, 100))
def test_what_a_share_records_a_greater_one_does_too(trace: int, share: float, more: float) -> None:
    least, most = sorted([share, more])
    assert is_trace_sampled(trace, most) or not is_trace_sampled(trace, least)
    assert is_trace_sampled(trace, 100)
    assert not is_trace_sampled(trace, 0)


@thousands()
@given(share=st.integers(1, 100), high=st.integers(0, 2**72 - 1))
def test_the_share_is_exact_over_all_random_parts(share: int, high: int) -> None:
    first = -(-RANDOM_PARTS * (100 - share) // 100)
    assert is_trace_sampled(high << 56 | min(first, RANDOM_PARTS - 1), share)
    assert first == 0 or not is_trace_sampled(high << 56 | max(0, first - 2), share)
