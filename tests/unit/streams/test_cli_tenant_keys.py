"""``weir keys``: the tenants' data keys from the command line."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.secrets import FileSecrets
from streams.cli.keys import make_secrets
from streams.cli.main import app
from streams.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

RUN = CliRunner()


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the key store, named by the settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)
    FileSecrets.initialise(tmp_path / ".weir" / "secrets")
    monkeypatch.setenv("WEIR_ENCRYPTION__KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def weir(*arguments: str, code: int = 0, answer: str = "") -> Result:
    result = RUN.invoke(app, ["keys", *arguments], input=answer)
    assert result.exit_code == code, result.output + result.stderr
    return result


def listed() -> dict[str, dict[str, Any]]:
    lines = map(json.loads, weir("list", "--json").stdout.splitlines())
    return {one["tenant"]: one for one in lines}


def worker(keys: Path) -> KeyStore:
    """Return the key store as a worker opens it."""
    return KeyStore(KeyFolder(keys), FileSecrets(keys.parent / ".weir" / "secrets"))


def test_keys_are_made_listed_rotated_and_destroyed(keys: Path) -> None:
    """From an empty folder to a tenant that is gone."""
    assert "no key store" in weir("list", code=78).stderr
    weir("init")
    assert "was already" in weir("init").stdout
    for tenant in ("acme", "globex"):
        worker(keys).current(tenant)
    weir("rotate", "--tenant", "acme")
    weir("rotate", "--all")
    assert {name: one["versions"] for name, one in listed().items()} == {
        "acme": [1, 2, 3],
        "globex": [1, 2],
    }
    weir("destroy", "--tenant", "acme", "--yes")
    assert listed()["acme"]["versions"] == []
    assert listed()["acme"]["destroyed_us"] is not None
    weir("rotate", "--all")
    assert worker(keys).current("globex").version == 3
    assert "destroyed" in weir("rotate", "--tenant", "acme", code=78).stderr
    assert "acme" in weir("list").stdout


def test_nothing_is_destroyed_without_a_yes(keys: Path) -> None:
    """The question says what it does; no is the default, and a misspelt tenant is told."""
    weir("init")
    worker(keys).current("acme")
    asked = weir("destroy", "--tenant", "acme", code=1, answer="\n")
    assert "cannot be undone" in asked.stderr
    weir("destroy", "--tenant", "acme", code=1, answer="n\n")
    assert listed()["acme"]["versions"] == [1]
    assert "no keys of acne" in weir("destroy", "--tenant", "acne", "--yes", code=78).stderr
    assert "say whose" in weir("destroy", "--yes", code=78).stderr
    weir("destroy", "--tenant", "acme", answer="y\n")
    assert worker(keys).destroyed("acme")


def test_keys_are_wrapped_anew_by_a_newer_secret(keys: Path) -> None:
    """After which the older one can be destroyed."""
    weir("init")
    key = worker(keys).current("acme")
    secrets = keys.parent / ".weir" / "secrets"
    newer = secrets / "key-encryption.v2"
    newer.write_text("ab" * 32)
    newer.chmod(0o600)
    assert weir("rewrap").stdout == "1 keys wrapped anew\n"
    (secrets / "key-encryption.v1").unlink()
    assert worker(keys).current("acme") == key


def test_up_makes_the_key_store_where_encryption_is_on(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command makes all that a worker needs; without encryption there is none."""
    make_secrets(load_settings())
    assert not keys.exists()
    monkeypatch.setenv("WEIR_ENCRYPTION__MODE", "on")
    make_secrets(load_settings())
    assert worker(keys).current("acme").version == 1


def test_encryption_needs_a_place_for_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no default: a folder of one worker's own would give each worker other keys."""
    monkeypatch.delenv("WEIR_ENCRYPTION__KEYS")
    assert "names no key store" in weir("list", code=78).stderr
    monkeypatch.setenv("WEIR_ENCRYPTION__MODE", "on")
    assert "set encryption.keys" in weir("list", code=78).stderr
