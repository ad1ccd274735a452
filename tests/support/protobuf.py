"""A reader of Protocol Buffers messages whose fields are length-delimited or varints.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

_VARINT, _LENGTH_DELIMITED = 0, 2


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each field of a message: its number, all of its bytes, and the content of a delimited one.

    Raises:
        ValueError: the message has a field of another kind, or ends within a field.
    """
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        value, position = _varint(message, position)
        length = value if kind == _LENGTH_DELIMITED else 0
        end = position + length
        if kind not in {_VARINT, _LENGTH_DELIMITED} or end > len(message):
            raise ValueError(f"no message of such fields: field {number}, kind {kind}")
        yield number, message[start:end], message[position:end]
        position = end


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    value = shift = 0
    while position < len(message):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
    raise ValueError("no message of such fields: it ends within a number")
