"""Data keys: made once, rotated, wrapped anew, and destroyed for good, in folders and buckets."""

from __future__ import annotations

import json
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from schemas.errors import SecretError
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyBucket, KeyFolder, open_place
from state.objects import ObjectStore
from state.secrets import KEY_ENCRYPTION, EnvSecrets, FileSecrets
from tests.s3_server import running_s3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.encryption.places import KeyPlace
    from tests.s3_server import S3


def provider(*versions: int) -> EnvSecrets:
    """Secrets of which each version is another."""
    names = {number: f"WEIR_SECRET_KEY_ENCRYPTION_V{number}" for number in versions}
    return EnvSecrets({name: f"{number:02x}" * 32 for number, name in names.items()})


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with running_s3() as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> KeyPlace:
    """An empty key store of each kind."""
    if request.param == "folder":
        made: KeyPlace = KeyFolder(tmp_path / "keys")
    else:
        server: S3 = request.getfixturevalue("s3")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        bucket = f"k{abs(hash(tmp_path))}"
        server.client().create_bucket(Bucket=bucket)
        made = open_place(f"s3://{bucket}/keys")
    KeyStore.initialise(made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    made = KeyFolder(tmp_path / "keys")
    KeyStore.initialise(made)
    return made


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_key_is_made_once_and_found_by_everybody(place: KeyPlace) -> None:
    """Whichever worker is first makes it; tenants have keys of their own."""
    first, second = KeyStore(place, provider(1)), KeyStore(place, provider(1))
    key = first.current("acme")
    assert (key.version, len(key.reveal())) == (1, 32)
    assert second.current("acme") == key  # it had not seen it before
    assert first.current("globex").reveal() != key.reveal()
    assert KeyStore(place, provider(1)).get("acme", 1) == key


def test_workers_that_meet_a_tenant_at_once_have_one_key(folder: KeyFolder) -> None:
    """Keys of which one is lost would leave state that nobody can read."""
    stores = [KeyStore(folder, provider(1)) for _ in range(8)]
    barrier, found = threading.Barrier(8), []

    def meet(store: KeyStore) -> None:
        barrier.wait()
        found.append(store.current("acme").reveal())

    threads = [threading.Thread(target=meet, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_rotation_adds_a_version_that_others_see(place: KeyPlace) -> None:
    """New records take the new version, old ones still open."""
    worker, admin = KeyStore(place, provider(1)), KeyStore(place, provider(1))
    old = worker.current("acme")
    admin.refresh()
    assert admin.rotate("acme") == 2
    assert worker.current("acme") == old
    seen = worker.changes
    worker.refresh()
    assert worker.changes == seen + 1
    new = worker.current("acme")
    assert new.version == 2
    assert new.reveal() != old.reveal()
    assert worker.get("acme", 1) == old
    worker.refresh()
    assert worker.changes == seen + 1


def test_what_is_destroyed_does_not_come_back(place: KeyPlace) -> None:
    """Neither from the store nor from a worker's memory; and no new key is made in its place."""
    worker, admin = KeyStore(place, provider(1)), KeyStore(place, provider(1))
    worker.current("acme")
    kept = worker.current("globex")
    admin.refresh()
    admin.rotate("acme")
    assert admin.destroy("acme") == (1, 2)
    assert not worker.destroyed("acme")
    worker.refresh()
    assert worker.destroyed("acme")
    with pytest.raises(SecretError, match="tenant 'acme' were destroyed"):
        worker.current("acme")
    with pytest.raises(SecretError, match="tenant 'acme' were destroyed"):
        worker.get("acme", 1)
    with pytest.raises(SecretError, match="nothing to rotate"):
        worker.rotate("acme")
    assert worker.current("globex") == kept
    listed = {keys.tenant: keys for keys in KeyStore(place, provider(1)).tenants()}
    assert listed["acme"].versions == ()
    assert listed["acme"].destroyed_us is not None
    assert listed["globex"].versions == (1,)
    assert len([name for name in place.names() if "/v" in name]) == 1
    assert admin.destroy("acme") == ()  # again does no harm


def test_an_interrupted_destruction_counts_and_is_finished_by_the_next(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word that it is destroyed comes before the deed."""
    store = KeyStore(folder, provider(1))
    store.current("acme")

    def fail(_: str) -> None:
        raise SecretError("the machine went down")

    with monkeypatch.context() as patched:
        patched.setattr(folder, "delete", fail)
        with pytest.raises(SecretError, match="went down"):
            store.destroy("acme")
    again = KeyStore(folder, provider(1))
    with pytest.raises(SecretError, match="were destroyed"):
        again.current("acme")
    assert again.destroy("acme") == (1,)
    assert not [name for name in folder.names() if "/v" in name]


def test_no_key_lies_in_the_clear(folder: KeyFolder, tmp_path: Path) -> None:
    """Nor may others than the owner look."""
    store = KeyStore(folder, provider(1))
    keys = [store.current(f"tenant-{number}").reveal() for number in range(5)]
    lying = everything(tmp_path / "keys")
    assert not [key for key in keys if key in lying or key.hex().encode() in lying]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").rglob("*")}
    assert modes == {0o600, 0o700}


def test_a_wrong_wrapping_secret_is_told_from_a_missing_one(folder: KeyFolder) -> None:
    """Neither gives a key that is garbage; tenant, version and secret are named."""
    KeyStore(folder, provider(1)).current("acme")
    other = EnvSecrets({"WEIR_SECRET_KEY_ENCRYPTION_V1": "99" * 32})
    with pytest.raises(SecretError, match=r"version 1 of tenant 'acme'.*another one than wrapped"):
        KeyStore(folder, other).current("acme")
    with pytest.raises(SecretError, match="key-encryption version 1 is missing"):
        KeyStore(folder, provider(2)).current("acme")


def test_keys_do_not_change_places(folder: KeyFolder, tmp_path: Path) -> None:
    """A wrapped key in the place of another's, or of another version, is refused."""
    store = KeyStore(folder, provider(1))
    for tenant in ("acme", "globex"):
        store.current(tenant)
    acme, globex = sorted(
        (path for path in (tmp_path / "keys").rglob("v*.json")),
        key=lambda path: json.loads(path.read_bytes())["tenant"],
    )
    theirs = globex.read_bytes()
    globex.write_bytes(acme.read_bytes())
    with pytest.raises(SecretError, match="of tenant 'acme', not version 1 of 'globex'"):
        KeyStore(folder, provider(1)).current("globex")
    claimed = json.loads(acme.read_bytes()) | {"tenant": "globex"}
    globex.write_text(json.dumps(claimed))
    with pytest.raises(SecretError, match="does not open"):
        KeyStore(folder, provider(1)).current("globex")
    globex.write_bytes(theirs[:-3])
    with pytest.raises(SecretError, match="no wrapped key"):
        KeyStore(folder, provider(1)).current("globex")


def test_after_a_rewrap_the_old_secret_opens_nothing(place: KeyPlace) -> None:
    """Keys stay as they are; a copy of the store as it was needs a secret that can be destroyed."""
    store = KeyStore(place, provider(1))
    keys = {tenant: store.current(tenant) for tenant in ("acme", "globex")}
    assert KeyStore(place, provider(1, 2)).rewrap() == 2
    assert KeyStore(place, provider(1, 2)).rewrap() == 0
    later = KeyStore(place, provider(2))
    assert {tenant: later.current(tenant) for tenant in keys} == keys
    with pytest.raises(SecretError, match="key-encryption version 2 is missing"):
        KeyStore(place, provider(1)).current("acme")


def test_a_missing_key_is_named_with_what_to_do(folder: KeyFolder) -> None:
    """It is never made anew where others were."""
    store = KeyStore(folder, provider(1))
    store.current("acme")
    with pytest.raises(SecretError, match=r"version 3 of tenant 'acme' is missing in .*bring the"):
        store.get("acme", 3)


def test_a_place_that_is_no_key_store_is_not_made_one(tmp_path: Path) -> None:
    """A volume that is not mounted looks like an empty store."""
    with pytest.raises(SecretError, match="is no key store: mount the one"):
        KeyStore(KeyFolder(tmp_path / "unmounted"), provider(1))
    assert not (tmp_path / "unmounted").exists()


def test_a_folder_that_others_may_write_is_refused(folder: KeyFolder, tmp_path: Path) -> None:
    """Who may replace keys may destroy state."""
    (tmp_path / "keys").chmod(0o777)
    with pytest.raises(SecretError, match="chmod 700"):
        KeyStore(folder, provider(1))


def test_a_bucket_that_keeps_what_is_deleted_is_refused(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that a version of an object still holds would not be destroyed."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    s3.make_bucket("versioned")
    with pytest.raises(SecretError, match="could be brought back"):
        KeyBucket(ObjectStore("s3://versioned/keys"))


def test_secrets_of_files_wrap_too(tmp_path: Path, folder: KeyFolder) -> None:
    """What `weir up` makes is all that is needed."""
    secrets = FileSecrets.initialise(tmp_path / "secrets")
    assert secrets.get(KEY_ENCRYPTION).version == 1
    assert KeyStore(folder, secrets).current("acme").version == 1
