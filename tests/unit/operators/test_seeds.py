"""Seeds of a cell: secret numbers that never show."""

from __future__ import annotations

import pytest

from operators.errors import InvalidConfig
from operators.seeds import Seeds


def test_representation_shows_versions_only() -> None:
    """Logging a cell's seeds tells which ones they are and not what they are."""
    text = repr(Seeds(prf=123456789, prf_version=3, hash_salt=987654321, hash_version=4))
    assert text == "Seeds(prf_version=3, hash_version=4)"


@pytest.mark.parametrize("wrong", [-1, 1 << 64])
def test_seeds_must_fit_64_bits_and_the_error_hides_them(wrong: int) -> None:
    """A seed out of range is refused without its value in the message."""
    with pytest.raises(InvalidConfig) as caught:
        Seeds(prf=wrong, prf_version=1, hash_salt=1, hash_version=1)
    assert "prf" in str(caught.value)
    assert str(wrong) not in str(caught.value)
