"""Verdicts of streams are steps of their tenants' audit chains, each once, in the log's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from operators.hierarchy.buffer import BufferConfig
from schemas.single_object import HEADER_BYTES
from state.audit.leaf import VERDICT
from state.audit.report import Outcome
from streams import verdicts
from tests.unit.streams.hierarchy.test_driver import Broken
from tests.unit.streams.hierarchy.test_engine import TEXT, ShardOfTokens, token
from tests.unit.streams.trails import leaves, verified

if TYPE_CHECKING:
    from state.audit.report import VerifyReport

pytestmark = pytest.mark.slow


def verified_of(shard: ShardOfTokens, tenant: str = "acme") -> VerifyReport:
    """Verify the trail of a tenant."""
    key = shard.keys.signer.verifier
    return verified(shard.units, tenant, f"test-tokens/{tenant}/0", key)


def digests(found: list[Any]) -> list[bytes]:
    """What leaves hold of verdicts, which go out with a header."""
    return [verdicts.verdict_digest(one["value"][HEADER_BYTES:]) for one in found]


def sent(shard: ShardOfTokens) -> list[Any]:
    """All verdicts that went out, encoded."""
    return [one for unit in shard.units for one in unit.outputs["verdicts"]]


def test_each_verdict_is_a_step() -> None:
    """Partial and final ones, in the order in which they went out; the trail verifies."""
    shard = ShardOfTokens()
    shard.take(token("a", 0, TEXT, 1), token("b", 0, TEXT, 1), token("a", len(TEXT), TEXT, 3))
    shard.take(token("a", 2 * len(TEXT), None, 4))
    found = leaves(shard.units, "acme")
    assert found["format"].tolist() == [VERDICT] * len(sent(shard))
    assert found["step"].tolist() == [*range(1, len(found) + 1)]
    assert [row.tobytes() for row in found["event_digest"]] == digests(sent(shard))
    report = verified_of(shard)
    assert report.outcome is Outcome.OK
    assert (report.records, report.checkpoints) == (len(found), 2)
    assert report.records > 3


def test_stream_that_was_given_up_has_a_step() -> None:
    """Its ERROR verdict is one, and the shard's chain goes on after it."""
    made = Broken.load(BufferConfig())
    assert isinstance(made, Broken)
    made.times = 10**6
    shard = ShardOfTokens(made=made)
    shard.take(token("a", 0, "poison " + TEXT, 1), token("b", 0, TEXT, 1))
    shard.take(token("a", len("poison " + TEXT), None, 2))
    found = shard.take(token("b", len(TEXT), None, 3))
    assert [one["decision"] for one in found if one["status"] == "FINAL"] != ["ERROR"]
    decisions = [
        shard.engine._token_codecs.verdict.decode(one["value"])["decision"]  # noqa: SLF001 - read back
        for one in sent(shard)
    ]
    assert decisions.count("ERROR") == 1
    assert verified_of(shard).outcome is Outcome.OK
    assert verified_of(shard).records == len(decisions)


def test_tenants_have_chains_of_their_own_up_to_a_bound() -> None:
    """Pieces of further tenants are quarantined, also after a restart."""
    shard = ShardOfTokens(stream={"max_tenants": 2})
    pieces = [token("a", 0, TEXT, 1, tenant=name) for name in ("acme", "globex", "initech")]
    shard.take(*pieces)
    assert [one["reason"] for one in shard.quarantined()] == ["UNKNOWN_TENANT"]
    shard.open()
    ends = [token("a", len(TEXT), None, 2, tenant=name) for name in ("acme", "globex", "initech")]
    shard.take(*ends)
    assert shard.unit.quarantined == {"UNKNOWN_TENANT": 1}
    for tenant in ("acme", "globex"):
        assert verified_of(shard, tenant).outcome is Outcome.OK
    assert set(shard.engine.tenants) == {"acme", "globex"}


def test_restored_chain_is_the_one_that_was_committed() -> None:
    """Also of a tenant that has had no verdict yet."""
    shard = ShardOfTokens()
    shard.take(token("a", 0, "x", 1), token("b", 0, TEXT, 1, tenant="globex"))
    before = {name: at.chain.to_bytes() for name, at in shard.engine.members.items()}
    shard.open()
    assert {name: at.chain.to_bytes() for name, at in shard.engine.members.items()} == before
    shard.take(token("a", 1, None, 2))
    assert verified_of(shard).outcome is Outcome.OK
