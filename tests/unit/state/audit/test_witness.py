"""A witness with a key and a folder of its own, over a trail that may be rewritten under it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import ConfigError, StateError
from state.audit.chain import Chain
from state.audit.cosign import CosignatureVerifier, Cosigner
from state.audit.errors import BadProof, BadSignature, UnknownKey
from state.audit.fork import ForkProof
from state.audit.leaf import LEAF_BYTES
from state.audit.merkle import leaf_hash
from state.audit.note import Note
from state.audit.report import Locator, Reason
from state.audit.verify import verify_files
from state.audit.witness import Finding, Verdict, Witness
from tests.unit.state.audit.conftest import Log, honest_rows, make_signer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.audit.checkpoint import CheckpointNote

ORIGIN = "weir/acme/0"
SIGNER = make_signer()
COSIGNER = Cosigner("watch", Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))
NOW = 1_700_000_000


@dataclass
class Trail:
    """Topics of one shard, as an operator holds them: nothing keeps him from changing them."""

    values: list[bytes] = field(default_factory=list)
    notes: list[CheckpointNote] = field(default_factory=list)
    chain: Chain = field(default_factory=lambda: Chain(ORIGIN))
    made: str = "once"

    def append(self, rows: Any, *, signed: bool = True) -> None:
        """Append a unit of work."""
        self.values += self.chain.append(rows)
        if signed:
            self.notes.append(self.chain.checkpoint(SIGNER))

    def checkpoints(self, start: int) -> Iterator[tuple[int, CheckpointNote]]:
        """Yield checkpoints from an offset on."""
        yield from list(enumerate(self.notes))[start:]

    def records(self, start: int) -> Iterator[tuple[int, str, bytes]]:
        """Yield records from an offset on."""
        for offset, value in list(enumerate(self.values))[start:]:
            yield offset, ORIGIN, leaf_hash(value[:LEAF_BYTES])

    def records_end(self) -> int:
        """Return where the records end."""
        return len(self.values)

    def identity(self) -> str:
        """Return what tells these topics from others."""
        return self.made


def witness(folder: Path) -> Witness:
    """A process of the witness that begins; what it knows is in its folder."""
    return Witness(folder, 0, [SIGNER.verifier], COSIGNER, lambda: NOW, patience_s=0)


def rewritten(trail: Trail, at: int, more: int = 0) -> Trail:
    """The history with one record changed, hashed and signed anew with the operator's own key."""
    rows = honest_rows(len(trail.values) + more)
    rows["y_hat"][at] += 1.0
    other = Trail()
    other.append(rows)
    return other


@pytest.fixture
def trail() -> Trail:
    """Ten records in two units of work."""
    rows = honest_rows(10)
    made = Trail()
    made.append(rows[:4])
    made.append(rows[4:])
    return made


def only(findings: list[Finding]) -> Finding:
    [finding] = findings
    return finding


def test_what_only_grew_is_cosigned(trail: Trail, tmp_path: Path) -> None:
    """The newest checkpoint that fits gets a cosignature that others can check."""
    finding = only(witness(tmp_path).observe(trail))
    assert (finding.verdict, finding.size) == (Verdict.COSIGNED, 10)
    note = Note.parse(finding.path.read_text(encoding="utf-8"))
    assert COSIGNER.verifier.time_of(note) == NOW
    assert note.verify([SIGNER.verifier])


def test_a_pass_over_nothing_new_says_nothing(trail: Trail, tmp_path: Path) -> None:
    """A witness that runs on does not sign the same again, nor after a restart."""
    first = witness(tmp_path)
    first.observe(trail)
    assert first.observe(trail) == []
    assert witness(tmp_path).observe(trail) == []


def test_a_witness_goes_on_where_it_stopped(trail: Trail, tmp_path: Path) -> None:
    """A restart reads no record twice, and still knows the whole history."""
    witness(tmp_path).observe(trail)
    trail.append(honest_rows(15)[10:])
    again = witness(tmp_path)
    asked: list[int] = []
    read = trail.records

    def watched(start: int) -> Iterator[tuple[int, str, bytes]]:
        asked.append(start)
        return read(start)

    trail.records = watched  # type: ignore[method-assign]
    assert only(again.observe(trail)).size == 15
    assert asked == [10]


@pytest.mark.parametrize("more", [0, 5])
def test_a_fork_is_proved_with_both_signed_checkpoints(
    trail: Trail, tmp_path: Path, more: int
) -> None:
    """A rewritten history, rightly signed, of the same or another length, is a provable fork."""
    witness(tmp_path).observe(trail)
    other = rewritten(trail, 2, more)
    other.notes = [*trail.notes, *other.notes]  # the new ones come after what was read
    finding = only(witness(tmp_path).observe(other))
    assert (finding.verdict, finding.size) == (Verdict.FORK, 10 + more)
    proof = ForkProof.from_json(finding.path.read_text(encoding="utf-8"))
    first, second = proof.check([SIGNER.verifier])
    assert (first.size, second.size) == (10, 10 + more)
    assert first.root != proof.begins_with
    assert COSIGNER.verifier.time_of(Note.parse(proof.first)) == NOW
    # And the forked log is never cosigned again, however long it grows.
    other.append(honest_rows(30)[10 + more :])
    assert Verdict.COSIGNED not in {f.verdict for f in witness(tmp_path).observe(other)}


def test_a_fork_shown_to_someone_else_is_proved(trail: Trail, tmp_path: Path) -> None:
    """A tenant's copy of a checkpoint of another history is enough to prove the fork."""
    watch = witness(tmp_path)
    watch.observe(trail)
    shown = rewritten(trail, 2).notes[-1]
    finding = watch.compare(shown, trail)
    assert finding is not None
    assert finding.verdict is Verdict.FORK
    ForkProof.from_json(finding.path.read_text(encoding="utf-8")).check([SIGNER.verifier])
    assert watch.compare(trail.notes[0], trail) is None
    assert watch.compare(trail.notes[-1], trail) is None


def test_a_proof_of_a_fork_cannot_be_made_up(trail: Trail, tmp_path: Path) -> None:
    """Two honest checkpoints, or foreign signatures, prove nothing against the operator."""
    honest = trail.notes[0].note, trail.notes[1].note
    with pytest.raises(BadProof):
        ForkProof(honest[1], honest[1], bytes(32)).check([SIGNER.verifier])
    with pytest.raises(BadProof):
        ForkProof(*honest, begins_with=bytes(32), hashes=(bytes(32),)).check([SIGNER.verifier])
    other = rewritten(trail, 2)
    forged = other.chain.checkpoint(make_signer(ORIGIN, 66))
    with pytest.raises(UnknownKey):
        ForkProof(honest[1], forged.note, other.chain.root()).check([SIGNER.verifier])
    with pytest.raises(BadProof):
        ForkProof.from_json(json.dumps({"kind": "inclusion"}))
    assert list(tmp_path.iterdir()) == []


def test_records_that_were_changed_are_told_from_a_fork(trail: Trail, tmp_path: Path) -> None:
    """Records that do not give the signed root are named, and are no proof against the key."""
    witness(tmp_path).observe(trail)
    trail.append(honest_rows(15)[10:])
    trail.values[12] = trail.values[12][:8] + bytes(8) + trail.values[12][16:]
    finding = only(witness(tmp_path).observe(trail))
    assert (finding.verdict, finding.size) == (Verdict.MISMATCH, 15)
    assert finding.path.read_text(encoding="utf-8") == trail.notes[-1].note


def test_a_log_cut_off_after_it_was_cosigned_is_found(trail: Trail, tmp_path: Path) -> None:
    """Records and checkpoints that vanish together are missed by who saw them."""
    witness(tmp_path).observe(trail)
    del trail.values[4:], trail.notes[1:]
    finding = only(witness(tmp_path).observe(trail))
    assert (finding.verdict, finding.size) == (Verdict.TRUNCATED, 10)


def test_a_checkpoint_without_its_records_is_found(trail: Trail, tmp_path: Path) -> None:
    """A signed size that the topic does not reach is put down with its note."""
    del trail.values[8:]
    findings = witness(tmp_path).observe(trail)
    assert [(f.verdict, f.size) for f in findings] == [
        (Verdict.TRUNCATED, 10),
        (Verdict.COSIGNED, 4),
    ]


def test_a_checkpoint_by_another_key_is_refused(trail: Trail, tmp_path: Path) -> None:
    """Only the pinned key speaks for the log."""
    trail.notes[1] = trail.chain.checkpoint(make_signer(ORIGIN, 66))
    findings = witness(tmp_path).observe(trail)
    assert [(f.verdict, f.size) for f in findings] == [
        (Verdict.REFUSED, 10),
        (Verdict.COSIGNED, 4),
    ]


def test_a_cosigned_checkpoint_finds_a_rewritten_log(log: Log, tmp_path: Path) -> None:
    """Who holds a witness' note finds a history that was hashed and signed anew as a whole."""
    kept = [(Locator("kept.note", None, 0), note) for note in log.notes]
    records = np.frombuffer(b"".join(log.values), np.uint8).reshape(10, -1)
    assert len(records) == 10
    assert log.verify(kept=kept).failure_counts == {}
    rows = honest_rows(10)
    rows["y_hat"][5] += 1.0
    folder = tmp_path / "forged"
    folder.mkdir()
    forged = Log(folder, log.signer)
    forged.extend(rows, [3, 4, 3])
    files = forged.export()
    assert verify_files(*files, [log.signer.verifier]).failure_counts == {}
    report = verify_files(*files, [log.signer.verifier], kept=kept)
    assert report.failure_counts == {Reason.WITNESSED: 2}
    longer = forged.notes[-1]._replace(tree_size=11)
    assert verify_files(
        *files, [log.signer.verifier], kept=[(Locator("kept", None, 0), longer)]
    ).failure_counts == {Reason.CHECKPOINT_FIELDS: 1}


def test_a_damaged_memory_is_not_passed_over(trail: Trail, tmp_path: Path) -> None:
    """A witness that forgot does not begin anew as if nothing had been."""
    witness(tmp_path).observe(trail)
    (tmp_path / "state" / "shard-00000.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StateError, match="bring back a copy"):
        witness(tmp_path)


def test_a_cosignature_is_bound_to_text_time_and_key(trail: Trail) -> None:
    """Another time, another text or another witness' key does not pass."""
    note = COSIGNER.cosign(trail.notes[0].note, NOW)
    parsed = Note.parse(note)
    name, key_id, blob = parsed.signatures[-1]
    later = parsed.signatures[-1]._replace(signature=(NOW + 1).to_bytes(8, "big") + blob[8:])
    with pytest.raises(BadSignature):
        COSIGNER.verifier.time_of(Note(parsed.text, (later,)))
    with pytest.raises(BadSignature):
        COSIGNER.verifier.time_of(Note("other\n", parsed.signatures))
    with pytest.raises(UnknownKey):
        COSIGNER.verifier.time_of(Note.parse(trail.notes[0].note))
    assert (name, key_id) == ("watch", COSIGNER.verifier.key_id)


def test_a_witness_key_reads_back_and_is_no_log_key() -> None:
    """The two kinds of keys cannot be taken for each other."""
    text = str(COSIGNER.verifier)
    assert CosignatureVerifier.from_string(text) == COSIGNER.verifier
    with pytest.raises(ConfigError):
        CosignatureVerifier.from_string(str(SIGNER.verifier))
    with pytest.raises(ConfigError):
        CosignatureVerifier.from_string(text.replace("watch", "other"))
    assert "PrivateKey" not in repr(COSIGNER)


def test_a_topic_made_anew_is_read_from_its_start(trail: Trail, tmp_path: Path) -> None:
    """A rewritten history on new topics, whose offsets tell nothing, is the same fork."""
    witness(tmp_path).observe(trail)
    other = rewritten(trail, 2, 1)
    other.made = "again"
    finding = only(witness(tmp_path).observe(other))
    assert (finding.verdict, finding.size) == (Verdict.FORK, 11)
    ForkProof.from_json(finding.path.read_text(encoding="utf-8")).check([SIGNER.verifier])


def test_the_same_history_on_new_topics_is_no_fork(trail: Trail, tmp_path: Path) -> None:
    """A trail that was copied to another cluster goes on being cosigned."""
    witness(tmp_path).observe(trail)
    trail.made = "again"
    trail.append(honest_rows(15)[10:])
    finding = only(witness(tmp_path).observe(trail))
    assert (finding.verdict, finding.size) == (Verdict.COSIGNED, 15)
