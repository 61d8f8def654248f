"""The small records of the changelog have fixed bytes and are refused when they are not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import StateError
from state.changelog import (
    StateCheckpoint,
    decode_checkpoint,
    decode_offset,
    encode_checkpoint,
    encode_offset,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("offset", [0, 1, 2**63 - 1])
def test_an_offset_comes_back(offset: int) -> None:
    """A shard goes on exactly where it stopped."""
    assert decode_offset(encode_offset(offset)) == offset


def test_a_checkpoint_comes_back() -> None:
    """A shard knows where its arrays stand, whose they are and how they are laid out."""
    checkpoint = StateCheckpoint(source_offset=2**40, tenants=3, app_format=7)
    assert decode_checkpoint(encode_checkpoint(checkpoint)) == checkpoint


def test_the_layout_of_values_is_fixed() -> None:
    """State written today is read by the versions to come."""
    assert encode_offset(258) == b"\x01" + b"\x02\x01" + bytes(6)
    assert encode_checkpoint(StateCheckpoint(258, 3, 7)) == (
        b"\x01" + b"\x02\x01" + bytes(6) + b"\x03\x00\x00\x00" + b"\x07\x00\x00\x00"
    )


@pytest.mark.parametrize("decode", [decode_offset, decode_checkpoint])
def test_another_format_is_refused(decode: Callable[[bytes], object]) -> None:
    """A record of a newer version is not misread; the message says what to run."""
    with pytest.raises(StateError, match="has format 2, this version reads format 1: run"):
        decode(b"\x02" + bytes(8))


@pytest.mark.parametrize("decode", [decode_offset, decode_checkpoint])
@pytest.mark.parametrize("value", [b"\x01", b"\x01" + bytes(7), b"\x01" + bytes(99)])
def test_a_damaged_record_is_refused(decode: Callable[[bytes], object], value: bytes) -> None:
    """A record of a wrong length is an error that says how to get the state back."""
    with pytest.raises(StateError, match="it is damaged; delete the state folder"):
        decode(value)


@pytest.mark.parametrize("decode", [decode_offset, decode_checkpoint])
def test_an_empty_record_is_refused(decode: Callable[[bytes], object]) -> None:
    """The same for a record without any bytes."""
    with pytest.raises(StateError, match="has no bytes"):
        decode(b"")
