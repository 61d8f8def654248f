from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import ConfigError
from state.audit.errors import BadSignature, MalformedNote, UnknownKey
from state.audit.note import Note, Signer, Verifier

# The example in the documentation of Go's golang.org/x/mod/sumdb/note, whose format this is.
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = (
    f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
    "KvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The key of Go's module checksum database, as the Go command pins it.
SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def signer(name: str = "weir/acme", seed: int = 1) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def test_signing_gives_the_bytes_that_go_gives() -> None:
    """A note signed here is the note that the reference implementation makes of the same key."""
    peter = Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(GO_SEED))
    assert peter.sign(GO_TEXT) == GO_NOTE
    assert str(peter.verifier) == GO_KEY


def test_a_note_signed_by_go_verifies() -> None:
    """Notes by other implementations are read, and say who signed."""
    key = Verifier.from_string(GO_KEY)
    note = Note.parse(GO_NOTE)
    assert note.text == GO_TEXT
    assert note.verify([signer().verifier, key]) == [key]
    assert str(note) == GO_NOTE


@pytest.mark.parametrize("key", [GO_KEY, SUMDB_KEY])
def test_verifier_keys_are_read_and_written_alike(key: str) -> None:
    """A pinned key survives being read and written again."""
    assert str(Verifier.from_string(f"{key}\n")) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("Peter", "Paul"),
        GO_KEY[:-4],
        GO_KEY.replace("+ARpc", "+Apc"),
        GO_KEY.replace("+ARpc", "+BRpc"),
        "a b" + GO_KEY,
    ],
)
def test_a_verifier_key_that_was_mistyped_is_refused(key: str) -> None:
    """A slip in copying a key shows when it is read, not as an alarm about tampering."""
    with pytest.raises(ConfigError, match="key"):
        Verifier.from_string(key)


@pytest.mark.parametrize(
    "name", ["", "two words", "a+b", "tab\there", "non\u00a0breaking", "\ud800"]
)
def test_a_name_that_would_make_notes_ambiguous_is_refused(name: str) -> None:
    """No key can be made under a name that a signature line could not carry."""
    with pytest.raises(ConfigError, match="cannot name a key"):
        signer(name)


def test_a_changed_text_is_refused() -> None:
    """Whoever changes a signed text without the key is found out."""
    note = Note.parse(GO_NOTE.replace("don't", "do"))
    with pytest.raises(BadSignature, match="does not fit"):
        note.verify([Verifier.from_string(GO_KEY)])


def test_a_note_by_another_key_under_the_same_name_is_refused() -> None:
    """A stranger's key does not become trusted by taking the trusted name."""
    forged = signer("PeterNeumann").sign(GO_TEXT)
    with pytest.raises(UnknownKey, match="none of the keys"):
        Note.parse(forged).verify([Verifier.from_string(GO_KEY)])


def test_signatures_by_unknown_keys_do_not_disturb() -> None:
    """Others can cosign a note without breaking its readers, who still find the key they know."""
    log, witness = signer(), signer("witness.example/w", 2)
    note = Note.parse(witness.cosign(Note.parse(log.sign("text\n\nwith a gap\n"))))
    assert note.text == "text\n\nwith a gap\n"
    assert note.verify([log.verifier]) == [log.verifier]
    assert note.verify([witness.verifier, log.verifier]) == [log.verifier, witness.verifier]


def test_one_bad_signature_by_a_known_key_condemns_the_note() -> None:
    """A note is not accepted for one good signature where another known key's is forged."""
    log, witness = signer(), signer("witness.example/w", 2)
    other = witness.sign("another text\n").rpartition("\n\n")[2]
    note = Note.parse(log.sign("text\n") + other)
    with pytest.raises(BadSignature, match="witness"):
        note.verify([log.verifier, witness.verifier])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        GO_TEXT,
        GO_TEXT + "\n",
        GO_NOTE[:-1],
        GO_NOTE + "\n",
        GO_NOTE + "— no-signature\n",
        GO_NOTE.replace("— Peter", "- Peter"),
        GO_NOTE.replace("— Peter", "—Peter"),
        GO_NOTE.replace("— Peter", "— Pe+ter"),
        GO_NOTE.replace("— PeterNeumann", "— Peter Neumann"),
        GO_NOTE.replace("nAM=", "nAN="),
        GO_NOTE.replace("nAM=", "nAM"),
        GO_NOTE.replace("nAM=", "n-M="),
        GO_NOTE.replace("\n\n", "\r\n\r\n"),
        GO_NOTE.replace("know", "know\x00"),
        GO_NOTE.replace("know", "know\ud800"),
        f"{GO_TEXT}\n— PeterNeumann x08gow==\n",
        GO_TEXT + "\n" + GO_NOTE.rpartition("\n\n")[2] * 101,
        "x" * (1 << 20) + GO_NOTE,
    ],
)
def test_what_is_not_exactly_a_note_is_refused(note: str) -> None:
    """One note has one reading: anything else is an error, never a guess."""
    with pytest.raises(MalformedNote):
        Note.parse(note)


@pytest.mark.parametrize("text", ["", "\n", "no newline", "tab\tin text\n"])
def test_a_text_that_no_reader_would_accept_is_not_signed(text: str) -> None:
    """What is signed here can always be read back."""
    with pytest.raises(MalformedNote):
        signer().sign(text)


def test_a_private_key_does_not_show() -> None:
    """A log line that shows a signer shows its public half only."""
    assert repr(signer()) == f"Signer({str(signer().verifier)!r})"
    assert base64.b64encode(bytes([1]) * 32).decode() not in repr(signer())
