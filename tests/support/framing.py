"""HTTP/1.1 messages cut out of a byte stream, by code that shares nothing with ours.

Only what is unambiguous is understood; anything else raises, so that a test cannot pass by misreading.
"""

from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"


class FramingError(Exception):
    """Bytes that are no well-formed message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One whole message; field names in lower case, the body decoded, `length` in bytes on the wire."""

    start_line: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    trailers: tuple[tuple[bytes, bytes], ...] = ()
    length: int

    @property
    def status(self) -> int:
        """A response's status."""
        return int(self.start_line.split(b" ")[1])

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Return every value of a field, in order; `name` is in lower case."""
        return tuple(value for key, value in self.fields if key == name)

    def text(self, name: str) -> str | None:
        """Return the value of a field that is there at most once, in words; `name` is in lower case.

        Raises:
            ValueError: It is there more than once.
        """
        match self.values(name.encode()):
            case ():
                return None
            case (value,):
                return value.decode()
            case several:
                raise ValueError(f"expected one {name}, found {several}")


def first_message(data: bytes, *, has_body: bool = True) -> Message | None:
    """Return the first message once it is whole; one that states no length has no body.

    Raises:
        FramingError: The bytes are not the beginning of a well-formed message.
    """
    end = data.find(HEAD_END)
    if end < 0:
        return None
    start_line, *lines = data[:end].split(b"\r\n")
    head = Message(start_line=start_line, fields=_fields(lines), length=end + len(HEAD_END))
    coding, lengths = head.values(b"transfer-encoding"), head.values(b"content-length")
    if len(coding) + len(lengths) > 1:
        raise FramingError(f"expected one statement of length, found {coding} and {lengths}")
    if not has_body or _is_bodiless(head) or not (coding or lengths):
        return head
    return _chunked(data, head) if coding else _counted(data, head, int(lengths[0]))


def all_messages(data: bytes) -> tuple[tuple[Message, ...], bytes]:
    """Return every whole message and the bytes after the last one.

    Raises:
        FramingError: The bytes are not well-formed messages.
    """
    found = []
    while data and (message := first_message(data)) is not None:
        found.append(message)
        data = data[message.length :]
    return tuple(found), data


def _is_bodiless(head: Message) -> bool:
    """Return whether it is a response whose status forbids a body, whatever length it states."""
    return head.start_line.startswith(b"HTTP/") and head.status in {*range(100, 200), 204, 304}


def _fields(lines: list[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(_field(line) for line in lines)


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip() or b"\r" in line or b"\n" in line:
        raise FramingError(f"expected a field line, found {line!r}")
    return name.lower(), value.strip(b" \t")


def _counted(data: bytes, head: Message, body_bytes: int) -> Message | None:
    end = head.length + body_bytes
    if len(data) < end:
        return None
    return Message(start_line=head.start_line, fields=head.fields, body=data[head.length : end], length=end)


def _chunked(data: bytes, head: Message) -> Message | None:
    body, at = b"", head.length
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size, at = _chunk_size(data[at:line_end]), line_end + 2
        if size == 0:
            return _with_trailers(data, head, body, at)
        chunk_end = at + size
        if len(data) < chunk_end + 2:
            return None
        if data[chunk_end : chunk_end + 2] != b"\r\n":
            raise FramingError(f"expected the end of a chunk, found {data[chunk_end : chunk_end + 2]!r}")
        body, at = body + data[at:chunk_end], chunk_end + 2
    return None


def _chunk_size(line: bytes) -> int:
    if not line or line.strip(b"0123456789abcdefABCDEF"):
        raise FramingError(f"expected the size of a chunk, found {line!r}")
    return int(line, 16)


def _with_trailers(data: bytes, head: Message, body: bytes, at: int) -> Message | None:
    # The line end of the last chunk may itself begin the blank line that ends the message.
    end = data.find(HEAD_END, at - 2)
    if end < 0:
        return None
    trailers = _fields(data[at:end].split(b"\r\n")) if end > at else ()
    length = end + len(HEAD_END)
    return Message(
        start_line=head.start_line, fields=head.fields, body=body, trailers=trailers, length=length
    )
