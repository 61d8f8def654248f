"""Secrets are found, versioned, kept from others, and never shown."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import logging
import os
import pickle
import re
import stat
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.errors import SecretError
from state.secrets import (
    AUDIT_SIGNING,
    FEATURE_HASH,
    HASH_SALT,
    PRF_SEED,
    SECRET_NAMES,
    EnvSecrets,
    FileSecrets,
    Secret,
    Seed,
    audit_signing_key,
    derive,
    feature_key,
    hash_salt,
    prf_seed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[3] / "docs" / "secrets.md"

VALUE = bytes(range(100, 132))
OTHER = bytes(range(200, 232))


def shows(text: str, value: bytes = VALUE) -> bool:
    """Whether a text gives away a good part of a secret in any of the usual spellings."""
    spellings = (
        value.hex(),
        base64.b64encode(value).decode(),
        repr(value)[2:-1],
        str(list(value))[1:-1],
        value.decode("latin-1"),
    )
    return any(spelling[:16] in text for spelling in spellings)


@dataclasses.dataclass
class Holder:
    """As a settings object would hold a secret."""

    secret: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>80}",
        lambda secret: f"{secret:>80}",
        lambda secret: repr([secret, {"key": secret}]),
        lambda secret: repr(Holder(secret)),
        lambda secret: str(dataclasses.asdict(Holder(secret))),
        lambda secret: str(dataclasses.astuple(Holder(secret))),
        lambda secret: json.dumps({"key": secret}, default=str),
        lambda secret: repr(copy.copy(secret)),
        lambda secret: repr(copy.deepcopy([secret])),
    ],
)
def test_a_secret_never_shows_its_bytes(show: Callable[[Secret], str]) -> None:
    """Whatever is done with a secret by mistake, its name and version show and its bytes do not."""
    text = show(Secret(PRF_SEED, 3, VALUE))
    assert not shows(text)
    assert "<Secret prf-seed version 3>" in text


def test_the_check_itself_would_notice() -> None:
    """The spellings that these tests look for are those in which bytes show up."""
    assert shows(repr(VALUE))
    assert shows(f"{list(VALUE)}")
    assert shows(VALUE.hex())
    assert shows(base64.b64encode(VALUE).decode())


def test_logs_do_not_show_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """A secret that got into a log call by mistake is not in the log."""
    with caplog.at_level(logging.INFO):
        logging.getLogger("weir").info("key is %s (%r)", *[Secret(PRF_SEED, 1, VALUE)] * 2)
    assert "version 1" in caplog.text
    assert not shows(caplog.text)


def test_a_secret_does_not_leave_the_process() -> None:
    """A secret cannot be pickled, alone or within something else."""
    with pytest.raises(SecretError, match="cannot be pickled"):
        pickle.dumps(Secret(PRF_SEED, 1, VALUE))
    with pytest.raises(SecretError, match="cannot be pickled"):
        pickle.dumps(Holder(Secret(PRF_SEED, 1, VALUE)))


def test_secrets_compare_by_what_they_are() -> None:
    """Two readings of one secret are equal; another value, version or name is not."""
    secret = Secret(PRF_SEED, 1, VALUE)
    assert secret == Secret(PRF_SEED, 1, bytes(VALUE))
    assert hash(secret) == hash(Secret(PRF_SEED, 1, VALUE))
    assert secret != Secret(PRF_SEED, 1, OTHER)
    assert secret != Secret(PRF_SEED, 2, VALUE)
    assert secret != Secret(HASH_SALT, 1, VALUE)
    assert secret != VALUE


@pytest.mark.parametrize(
    "text",
    [VALUE.hex(), VALUE.hex().upper(), base64.b64encode(VALUE).decode(), f"  {VALUE.hex()}\n"],
)
def test_a_variable_may_be_hexadecimal_or_base64(text: str) -> None:
    """Both spellings that tools print are understood."""
    secret = EnvSecrets({"WEIR_SECRET_PRF_SEED_V1": text}).get(PRF_SEED)
    assert (secret.reveal(), secret.version, secret.name) == (VALUE, 1, PRF_SEED)


def test_the_highest_version_is_the_current_one() -> None:
    """Rotation is adding a version; the older ones stay readable for a replay."""
    provider = EnvSecrets(
        {
            "WEIR_SECRET_PRF_SEED_V2": OTHER.hex(),
            "WEIR_SECRET_PRF_SEED_V10": VALUE.hex(),
            "WEIR_SECRET_PRF_SEED_V11x": "not a version",
            "WEIR_SECRET_PRF_SEED_V012": "not a version",
            "WEIR_SECRET_HASH_SALT_V99": OTHER.hex(),
        }
    )
    assert provider.get(PRF_SEED) == Secret(PRF_SEED, 10, VALUE)
    assert provider.get(PRF_SEED, 2) == Secret(PRF_SEED, 2, OTHER)


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that the orchestrator sets are found."""
    monkeypatch.setenv("WEIR_SECRET_AUDIT_SIGNING_V1", VALUE.hex())
    assert EnvSecrets().get(AUDIT_SIGNING).reveal() == VALUE


def test_a_missing_variable_is_named() -> None:
    """The message names the variable to set, for the current and for an older version."""
    with pytest.raises(SecretError, match="set WEIR_SECRET_AUDIT_SIGNING_V1 to"):
        EnvSecrets({"WEIR_SECRET_AUDIT_SIGNING": VALUE.hex()}).get(AUDIT_SIGNING)
    with pytest.raises(SecretError, match="version 2 is missing: set WEIR_SECRET_PRF_SEED_V2"):
        EnvSecrets({"WEIR_SECRET_PRF_SEED_V1": VALUE.hex()}).get(PRF_SEED, 2)


MALFORMED = [
    "",
    "hunter2 hunter2 hunter2",
    VALUE.hex()[:-1],
    VALUE.hex()[:-2],
    VALUE.hex() + "00",
    " ".join(["ab"] * 21) + "a",  # 64 characters, but fewer bytes
    "zz" * 32,
    base64.b64encode(VALUE[:-1]).decode(),
    "ü" * 44,
]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_variable_is_refused_without_showing_it(text: str) -> None:
    """What is too short or mistyped is refused, and neither message nor frames show the value."""
    with pytest.raises(SecretError, match="64 hexadecimal digits") as caught:
        EnvSecrets({"WEIR_SECRET_PRF_SEED_V1": text}).get(PRF_SEED)
    check_report(caught.value, text)


def check_report(error: BaseException, text: str) -> None:
    """A crash report with every local of every frame must not hold the text."""
    report = "".join(
        traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )
    frames = report[report.index("state/secrets/") :]  # below the frames of the test itself
    assert len(text) < 8 or text[:8] not in frames


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "secrets"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_a_first_start_makes_all_secrets_for_their_owner_only(folder: Path) -> None:
    """A new deployment has random secrets at once, which no other user can read."""
    previous = os.umask(0)  # the most permissive there is
    try:
        provider = FileSecrets.initialise(folder)
    finally:
        os.umask(previous)
    assert mode(folder) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{n}.v1" for n in SECRET_NAMES)
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    values = [provider.get(name).reveal() for name in SECRET_NAMES]
    assert len(set(values)) == len(values)
    assert all(len(value) == 32 for value in values)
    assert FileSecrets.initialise(folder.with_name("other")).get(PRF_SEED).reveal() not in values


def test_a_strict_umask_does_not_lock_the_owner_out(folder: Path) -> None:
    """Whatever the umask, the owner can read the secrets that were made."""
    folder.mkdir(parents=True)
    previous = os.umask(0o777)
    try:
        FileSecrets.initialise(folder)
    finally:
        os.umask(previous)
    assert {mode(path) for path in folder.iterdir()} == {0o600}


def test_a_second_start_changes_nothing(folder: Path) -> None:
    """Secrets that exist are never overwritten; only what lacks is made."""
    FileSecrets.initialise(folder)
    (folder / "prf-seed.v1").rename(folder / "prf-seed.v3")
    (folder / "hash-salt.v1").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    FileSecrets.initialise(folder)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.items() <= after.items()
    assert after.keys() - before.keys() == {"hash-salt.v1"}


def test_workers_that_start_at_once_end_with_the_same_secrets(folder: Path) -> None:
    """Two workers on a fresh folder do not end with a key each."""
    start = threading.Barrier(8)
    found: list[list[bytes]] = []

    def begin() -> None:
        start.wait()
        provider = FileSecrets.initialise(folder)
        found.append([provider.get(name).reveal() for name in SECRET_NAMES])

    workers = [threading.Thread(target=begin) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 8
    assert all(values == found[0] for values in found)
    assert len(list(folder.iterdir())) == len(SECRET_NAMES)


def test_rotation_is_adding_a_file(folder: Path) -> None:
    """A new version is used as soon as its file is there, the old one stays readable."""
    provider = FileSecrets.initialise(folder)
    old = provider.get(PRF_SEED)
    put(folder, "prf-seed.v2", base64.b64encode(VALUE).decode() + "\n")
    assert provider.get(PRF_SEED) == Secret(PRF_SEED, 2, VALUE)
    assert provider.get(PRF_SEED, 1) == old


def test_the_documented_rotation_works(tmp_path: Path) -> None:
    """The commands of docs/secrets.md make a first version and add a second, for the owner only."""
    commands = re.findall(r"^```sh\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    assert len(commands) == 2
    folder = tmp_path / ".weir" / "secrets"
    run_shell(commands[0], tmp_path)
    provider = FileSecrets(folder)
    first = {name: provider.get(name) for name in SECRET_NAMES}
    run_shell(commands[1], tmp_path)
    second = provider.get(AUDIT_SIGNING)
    assert second.version == 2
    assert second.reveal() != first[AUDIT_SIGNING].reveal()
    assert provider.get(AUDIT_SIGNING, 1) == first[AUDIT_SIGNING]
    # Once more by mistake; whether mv -n calls it a failure depends on its version.
    run_shell(f"({commands[1]}) || true", tmp_path)
    assert provider.get(AUDIT_SIGNING) == second


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_that_others_may_read_is_refused(folder: Path, bits: int) -> None:
    """A secret with careless permissions is not used; the message is the command that helps."""
    provider = FileSecrets.initialise(folder)
    path = folder / "audit-signing.v1"
    path.chmod(bits)
    with pytest.raises(SecretError, match=f"chmod 600 {path}"):
        provider.get(AUDIT_SIGNING)
    path.chmod(0o400)
    provider.get(AUDIT_SIGNING)  # stricter is fine


def test_a_link_does_not_hide_the_permissions(folder: Path, tmp_path: Path) -> None:
    """What counts are the permissions of the file that is read."""
    provider = FileSecrets.initialise(folder)
    target = tmp_path / "open"
    target.write_text(VALUE.hex())
    target.chmod(0o644)
    (folder / "prf-seed.v2").symlink_to(target)
    with pytest.raises(SecretError, match="chmod 600"):
        provider.get(PRF_SEED)


def test_a_folder_in_which_others_may_write_is_refused(folder: Path) -> None:
    """Nobody else can put a key of his own in place of ours."""
    provider = FileSecrets.initialise(folder)
    folder.chmod(0o770)
    with pytest.raises(SecretError, match=f"chmod 700 {folder}"):
        provider.get(PRF_SEED)


def test_a_file_of_another_user_is_refused(folder: Path) -> None:
    """A secret that another user owns, who could change it, is not used."""
    provider = FileSecrets.initialise(folder)
    path = folder / "prf-seed.v1"
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, -1)
    with pytest.raises(SecretError, match=r"belongs to user 12345.*chown 0"):
        provider.get(PRF_SEED)


def test_a_worker_that_may_not_read_the_file_is_told(folder: Path) -> None:
    """A worker that runs as the wrong user learns which user it should be."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    FileSecrets.initialise(folder)
    code = """
import os, sys, pathlib
from schemas.errors import SecretError
from state.secrets import PRF_SEED, FileSecrets
os.chdir(sys.argv[1])
os.setuid(12345)
try:
    FileSecrets(pathlib.Path(".")).get(PRF_SEED)
except SecretError as error:
    print(error)
"""
    output = subprocess.check_output([sys.executable, "-c", code, str(folder)], text=True)
    assert "cannot be read: Permission denied; run the worker as the user that owns it" in output


def test_a_missing_file_is_named(folder: Path) -> None:
    """The message names the file that lacks, and the command that makes it does make it."""
    with pytest.raises(SecretError, match="prf-seed version 1 is missing") as caught:
        FileSecrets(folder).get(PRF_SEED)
    run_shell(str(caught.value).split("`")[1], folder.parent.parent)
    assert FileSecrets(folder).get(PRF_SEED).version == 1
    with pytest.raises(SecretError, match=r"version 7 is missing.*/prf-seed.v7\)`"):
        FileSecrets(folder).get(PRF_SEED, 7)


def run_shell(command: str, folder: Path) -> None:
    """Run a command that we tell our users to run."""
    subprocess.run(["sh", "-eu", "-c", command], cwd=folder, check=True)


@pytest.mark.parametrize("text", [*MALFORMED, "a" * 10_000])
def test_a_malformed_file_is_refused_without_showing_it(folder: Path, text: str) -> None:
    """A damaged file is refused by its name, and neither message nor frames show the content."""
    provider = FileSecrets.initialise(folder)
    put(folder, "prf-seed.v2", text)
    with pytest.raises(SecretError, match=r"prf-seed\.v2 is malformed") as caught:
        provider.get(PRF_SEED)
    check_report(caught.value, text)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """A secrets folder below something that is no folder gives an error of ours."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretError, match="secrets cannot be made in"):
        FileSecrets.initialise(tmp_path / "file" / "secrets")


@pytest.fixture
def provider() -> EnvSecrets:
    return EnvSecrets(
        {
            f"WEIR_SECRET_{name.upper().replace('-', '_')}_V{version}": value.hex()
            for name in SECRET_NAMES
            for version, value in ((1, VALUE), (2, OTHER))
        }
    )


def test_derivation_is_that_of_the_standard() -> None:
    """Keys can be computed again by any HKDF-SHA256: RFC 5869, test case 3."""
    secret = Secret(PRF_SEED, 1, b"\x0b" * 22)
    assert derive(secret, b"", 42).hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


def test_derived_keys_are_fixed(provider: EnvSecrets) -> None:
    """A version to come derives the same keys, or it would not know the state of today."""
    assert feature_key(provider, "acme", 1) == derive(
        Secret(FEATURE_HASH, 1, VALUE), b"weir/feature-hash/v1\x00acme", 32
    )
    info = b"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02acme"
    seed = derive(Secret(PRF_SEED, 1, VALUE), b"weir/prf-seed/v1\x00" + info, 8)
    salt = derive(Secret(HASH_SALT, 1, VALUE), b"weir/hash-salt/v1\x00" + info, 8)
    assert prf_seed(provider, "acme", 1, 2, 1) == Seed(int.from_bytes(seed, "little"), 1)
    assert hash_salt(provider, "acme", 1, 2, 1) == Seed(int.from_bytes(salt, "little"), 1)


def test_derived_keys_follow_the_version(provider: EnvSecrets) -> None:
    """After a rotation new keys come from the new secret and say so."""
    assert prf_seed(provider, "acme", 0, 0).version == 2
    assert prf_seed(provider, "acme", 0, 0) == prf_seed(provider, "acme", 0, 0, version=2)
    assert prf_seed(provider, "acme", 0, 0) != prf_seed(provider, "acme", 0, 0, version=1)
    assert hash_salt(provider, "acme", 0, 0).version == 2
    assert feature_key(provider, "acme") == feature_key(provider, "acme", 2)
    assert feature_key(provider, "acme") != feature_key(provider, "acme", 1)


def test_a_seed_shows_its_version_only(provider: EnvSecrets) -> None:
    """A seed that got into a log by mistake gives nothing away."""
    seed = prf_seed(provider, "acme", 0, 0)
    assert repr(seed) == "Seed(version=2)"
    assert str(seed.value) not in f"{seed}"


def test_the_audit_key_is_that_of_the_secret(provider: EnvSecrets) -> None:
    """An auditor who was given the public key once can check the checkpoints of every restart."""
    # RFC 8032, test 1.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    known = EnvSecrets({"WEIR_SECRET_AUDIT_SIGNING_V1": seed.hex()})
    public = audit_signing_key(known).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    old, new = audit_signing_key(provider, 1), audit_signing_key(provider)
    assert old.private_bytes_raw() == VALUE
    assert new.private_bytes_raw() == OTHER
