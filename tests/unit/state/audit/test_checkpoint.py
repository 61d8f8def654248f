from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import ConfigError
from state.audit.checkpoint import Checkpoint, CheckpointNote, origin_of
from state.audit.errors import BadSignature, MalformedNote
from state.audit.merkle import EMPTY_ROOT
from state.audit.note import Signer

SIGNER = Signer("weir/acme", Ed25519PrivateKey.from_private_bytes(bytes(32)))
CHECKPOINT = Checkpoint("weir/acme/0", 20852163, bytes(range(32)), bytes(range(32, 64)))
ROOT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HEAD = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="


def test_the_body_is_a_tlog_checkpoint_with_the_chain_head_as_extension() -> None:
    """Tools for transparency logs read origin, size and root where they expect them."""
    assert CHECKPOINT.text() == f"weir/acme/0\n20852163\n{ROOT}\nchain {HEAD}\n"


@pytest.mark.parametrize(
    "checkpoint", [CHECKPOINT, Checkpoint("o", 0, EMPTY_ROOT, bytes(32))], ids=["grown", "empty"]
)
def test_a_signed_checkpoint_reads_back(checkpoint: Checkpoint) -> None:
    """What was signed is what a reader with the public key gets."""
    signed = CheckpointNote.sign(checkpoint, SIGNER)
    assert signed.open([SIGNER.verifier]) == checkpoint
    assert signed.repeats(checkpoint)


def test_only_what_is_signed_counts() -> None:
    """Fields beside the note can be forged by anyone; they do not reach the reader."""
    signed = CheckpointNote.sign(CHECKPOINT, SIGNER)._replace(tree_size=1)
    assert signed.open([SIGNER.verifier]) == CHECKPOINT
    assert not signed.repeats(CHECKPOINT)


def test_a_checkpoint_with_another_size_is_refused() -> None:
    """A size changed inside the note does not fit its signature."""
    signed = CheckpointNote.sign(CHECKPOINT, SIGNER)
    forged = signed._replace(note=signed.note.replace("20852163", "20852164"))
    with pytest.raises(BadSignature):
        forged.open([SIGNER.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"o\n1\n{ROOT}\n",
        f"o\n1\n{ROOT}\nchain {HEAD}",
        f"o\n1\n{ROOT}\nchain {HEAD}\nmore\n",
        f"\n1\n{ROOT}\nchain {HEAD}\n",
        f"o\n01\n{ROOT}\nchain {HEAD}\n",
        f"o\n-1\n{ROOT}\nchain {HEAD}\n",
        f"o\n1_0\n{ROOT}\nchain {HEAD}\n",
        f"o\n²\n{ROOT}\nchain {HEAD}\n",
        f"o\n{2**64}\n{ROOT}\nchain {HEAD}\n",
        f"o\n{'9' * 5000}\n{ROOT}\nchain {HEAD}\n",
        f"o\n1\n{ROOT[:-4]}\nchain {HEAD}\n",
        f"o\n1\n{ROOT[:-1]}\nchain {HEAD}\n",
        f"o\n1\n{ROOT}\nhead {HEAD}\n",
        f"o\n1\n{ROOT}\nchain  {HEAD}\n",
        f"o\n1\n{base64.b64encode(bytes(33)).decode()}\nchain {HEAD}\n",
    ],
)
def test_a_body_that_is_not_exactly_a_checkpoint_is_refused(text: str) -> None:
    """A signature over something else never passes for a checkpoint."""
    with pytest.raises(MalformedNote):
        Checkpoint.parse(text)


def test_origins_of_different_cells_differ() -> None:
    """No tenant can choose a name whose log passes for another cell's."""
    assert origin_of("weir", "acme", 3) == "weir/acme/3"
    assert origin_of("weir", "acme/3", 1) == "weir/acme%2F3/1"
    assert origin_of("weir", "a b+c", 0) == "weir/a%20b%2Bc/0"
    Signer(origin_of("weir", "a b+c", 0), Ed25519PrivateKey.generate())


@pytest.mark.parametrize(("tenant", "shard"), [("", 0), ("acme", -1)])
def test_a_cell_without_a_name_has_no_log(tenant: str, shard: int) -> None:
    """A missing tenant or shard is a clear error, not a log that others share."""
    with pytest.raises(ConfigError, match="no audit log"):
        origin_of("weir", tenant, shard)
