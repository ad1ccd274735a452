"""The reader of Protocol Buffers, and what remains of a provider's schema.

The messages are the examples of https://protobuf.dev/programming-guides/encoding/.
"""

import pytest
from support.kept_provider import only_our_types
from support.protobuf import fields

NUMBER = b"\x08\x96\x01"  # field 1 is 150
TEXT = b"\x12\x07testing"  # field 2 is "testing"


def entry(field: int, name: bytes) -> bytes:
    """A field of a response that maps the name of a type to its schema, which is empty here."""
    content = bytes([0x0A, len(name)]) + name + b"\x12\x00"
    return bytes([field << 3 | 2, len(content)]) + content


def test_each_field_has_a_number_its_bytes_and_its_content() -> None:
    assert [*fields(NUMBER + TEXT)] == [(1, NUMBER, b""), (2, TEXT, b"testing")]


def test_a_length_and_a_number_can_have_several_bytes() -> None:
    long = b"\xa2\x01\x96\x01" + b"x" * 150  # field 20, 150 bytes
    assert [*fields(long + TEXT)] == [(20, long, b"x" * 150), (2, TEXT, b"testing")]


@pytest.mark.parametrize("message", [b"\x0d\x00\x00\x00\x00", b"\x12\x07test", b"\x08\x96"])
def test_a_message_of_another_kind_or_a_part_of_one_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="no message of"):
        [*fields(message)]


def test_of_a_schema_the_types_of_the_tests_remain_and_no_functions() -> None:
    provider, function = b"\x0a\x02\x12\x00", entry(7, b"arn_parse")
    ours, others = entry(2, b"aws_s3_object"), entry(2, b"aws_lambda_function")
    data = entry(3, b"aws_vpc")
    assert only_our_types(provider + ours + others + data + function) == provider + ours + data
