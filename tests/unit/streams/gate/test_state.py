"""What a shard of messages keeps: sealed if wanted, erased with its tenant; and its trail holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import StateError
from state import cell_keys
from state.audit.leaf import ERASURE, VERDICT
from state.audit.report import Outcome
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.encryption.sealing import FORMAT
from state.secrets import FileSecrets
from streams.gate.memory import MEMORY_WIDTH
from streams.keys import CellKeys
from streams.shard.cell_formats import VERDICTS
from tests.unit.streams.gate.under_test import (
    GateLab,
    arrived,
    conversation,
    leaves,
    message,
    outputs,
    run,
)
from tests.unit.streams.trails import verified

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def lab(tmp_path: Path) -> GateLab:
    return GateLab(tmp_path, gate=True)


def encrypted(lab: GateLab) -> KeyStore:
    """Let a lab encrypt; returns the key store."""
    place, secrets = KeyFolder(lab.folder / "keys"), FileSecrets(lab.folder / "secrets")
    KeyStore.initialise(place)
    store = KeyStore(place, secrets)
    lab.keys = CellKeys(secrets, "test", store)
    return store


def test_the_trail_of_verdicts_verifies(lab: GateLab) -> None:
    """Under a name of its own, by the signed checkpoints of its units."""
    engine = lab.engine()
    units = run(engine, [*conversation(7), *conversation(2)], [2, 3])
    origin = "test-messages/acme/0"
    report = verified(units, "acme", origin, lab.keys.signer.verifier)
    assert report.outcome is Outcome.OK
    assert (report.records, report.checkpoints, report.steps) == (9, 3, (1, 7))
    assert report.origin == origin


def test_encryption_seals_what_is_remembered_and_changes_no_verdict(lab: GateLab) -> None:
    """Memories lie sealed in the table; a shard that comes back opens them and goes on alike."""
    records = conversation(8)
    plain = outputs(run(lab.engine(), records))
    encrypted(lab)
    with lab.store() as store:
        before = run(lab.engine(), records[:5], (), store)
        sealed = [value for key, value in store.items() if cell_keys.is_of_cell(key)]
        assert sealed
        assert {value[0] for value in sealed} == {FORMAT}
        assert max(map(len, sealed)) >= 4 * MEMORY_WIDTH
        assert outputs([*before, *run(lab.restored(store), records[5:])]) == plain


def test_an_erased_tenant_is_gone_and_its_trail_stays(lab: GateLab) -> None:
    """Its messages are refused from then on, others go on."""
    keys = encrypted(lab)
    engine = lab.engine()
    with lab.store() as store:
        units = run(engine, conversation(4, tenants=("acme", "globex")), (), store)
        keys.destroy("acme")
        assert engine.unsettled
        units.append(engine.settle())
        engine.add_checkpoint(units[-1])
        store.write(units[-1].state, changelog_offset=2)
        prefixes = cell_keys.cell_prefixes("acme")
        assert not [key for prefix in prefixes for key, _ in store.items(prefix)]
        again = lab.restored(store)
        assert list(again.tenants) == ["globex"]
        assert again.chain("acme").size == 3
    [late] = run(engine, [arrived(9, message(9)), arrived(10, message(10, tenant="globex"))])
    assert late.quarantined == {"TENANT_ERASED": 1}
    assert leaves(units)["format"].tolist() == [VERDICT] * 4 + [ERASURE]


def test_state_of_a_newer_release_is_refused(lab: GateLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read from it."""
    with lab.store() as store:
        with monkeypatch.context() as newer:
            newer.setattr(VERDICTS, "_taken_over", (dict, dict))
            run(lab.engine(), conversation(1), (), store)
        with pytest.raises(StateError, match="newer release"):
            lab.restored(store)


def test_a_unit_is_small_whatever_is_remembered(lab: GateLab) -> None:
    """A message writes its thread's memory, its name and counts."""
    engine = lab.engine()
    run(engine, conversation(8))
    [unit] = run(engine, [arrived(9, message(9, thread={"id": "t-1"}))])
    assert sum(len(value or b"") for value in unit.state.values()) < 8_000
