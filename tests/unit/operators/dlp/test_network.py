"""What the network promises of its two modes, its padding and its slow tier."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from operators.dlp.network.config import TINY  # noqa: E402 - after the check for PyTorch
from operators.dlp.network.model import Network, Outputs  # noqa: E402

pytestmark = pytest.mark.train


def run(ids: object, valid: object, *, causal: bool) -> Outputs:
    """Outputs of a fixed tiny network from its seed state."""
    torch.manual_seed(2)
    network = Network(TINY)
    with torch.no_grad():
        state = network.slow.start(torch.zeros(len(ids), TINY.memory))  # type: ignore[arg-type]
        outputs: Outputs = network(ids, valid, state, causal)
    return outputs


def test_causal_mode_sees_nothing_that_follows() -> None:
    """Changing a token changes no tag before it, nor the scores of chunks before its own."""
    ids = torch.randint(3, 16_000, (1, 192), generator=torch.Generator().manual_seed(1))
    changed = ids.clone()
    changed[0, 130] = 7
    valid = torch.ones_like(ids, dtype=torch.bool)
    first, second = run(ids, valid, causal=True), run(changed, valid, causal=True)
    assert torch.equal(first.spans[:, :130], second.spans[:, :130])
    assert torch.equal(first.scores[:, :2], second.scores[:, :2])
    assert not torch.equal(first.spans[:, 130:], second.spans[:, 130:])


@pytest.mark.parametrize("causal", [False, True])
def test_padding_changes_nothing(causal: bool) -> None:
    """A short text gives the same in a longer row, and its slow state stands still after it."""
    ids = torch.randint(3, 16_000, (1, 64), generator=torch.Generator().manual_seed(1))
    padded = torch.cat((ids, torch.zeros(1, 64, dtype=ids.dtype)), 1)
    short = run(ids, ids != 0, causal=causal)
    long = run(padded, padded != 0, causal=causal)
    assert torch.allclose(short.spans, long.spans[:, :64], atol=1e-5)
    assert torch.allclose(short.scores[:, -1], long.scores[:, -1], atol=1e-5)
    assert torch.equal(long.states[:, 0], long.states[:, 1])


def test_slow_tier_reaches_back_beyond_the_segment() -> None:
    """The state that a segment leaves behind changes what the next one says."""
    torch.manual_seed(2)
    network = Network(TINY)
    ids = torch.randint(3, 16_000, (1, 64), generator=torch.Generator().manual_seed(1))
    start = network.slow.start(torch.zeros(1, TINY.memory))
    with torch.no_grad():
        fresh = network(ids, ids != 0, start, True)
        carried = network(ids, ids != 0, fresh.states[:, -1], True)
    assert not torch.allclose(fresh.spans, carried.spans)
