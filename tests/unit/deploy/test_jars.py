from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from deploy.broker import jars
from deploy.broker.errors import FetchError, StorageError, ToolError

if TYPE_CHECKING:
    from pathlib import Path

_JAR = b"not really a jar"


@pytest.fixture
def one_pinned_jar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pin one small jar in place of Kafka's forty-six."""
    sums = tmp_path / "jars.sha256"
    sums.write_text(f"{hashlib.sha256(_JAR).hexdigest()}  kafka.jar\n", encoding="ascii")
    monkeypatch.setattr(jars, "_SUMS", sums)


def _install_maven(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program called mvn on the PATH; $into is where it is told to copy jars."""
    find = 'for word; do case "$word" in -DoutputDirectory=*) into="${word#*=}";; esac; done'
    folder.mkdir()
    maven = folder / "mvn"
    maven.write_text(f'#!/bin/sh\n{find}\n/bin/mkdir -p "$into"\n{script}\n', encoding="utf-8")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_the_pom_pins_the_version_that_names_the_cache() -> None:
    """A new version in the pom cannot leave an old cache in use."""
    pom = jars._POM.read_text(encoding="utf-8")  # noqa: SLF001 - the file under test

    assert re.findall(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", pom) == [jars.KAFKA_VERSION]
    assert f"kafka_2.13-{jars.KAFKA_VERSION}.jar" in jars.pinned_jars()


@pytest.mark.usefixtures("one_pinned_jar")
def test_jars_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start fetches; later ones need neither Maven nor a network."""
    _install_maven(tmp_path / "bin", monkeypatch, f'printf "{_JAR.decode()}" > "$into/kafka.jar"')
    cache = tmp_path / "cache" / "kafka"

    assert jars.ensure_jars(cache) == cache
    monkeypatch.setenv("PATH", "")

    assert jars.ensure_jars(cache) == cache
    assert [path.name for path in cache.parent.iterdir() if path.is_dir()] == ["kafka"]


@pytest.mark.usefixtures("one_pinned_jar")
def test_starts_at_the_same_time_share_one_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two terminals, or a test run beside a demo, do not fetch into each other's folders."""
    calls = tmp_path / "calls"
    script = f'echo call >> {calls}\nprintf "{_JAR.decode()}" > "$into/kafka.jar"'
    _install_maven(tmp_path / "bin", monkeypatch, script)
    cache = tmp_path / "cache"

    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(jars.ensure_jars, [cache] * 8))

    assert folders == {cache}
    assert calls.read_text(encoding="utf-8") == "call\n"


@pytest.mark.usefixtures("one_pinned_jar")
def test_a_damaged_cache_is_fetched_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A jar that was cut short or tampered with does not run."""
    _install_maven(tmp_path / "bin", monkeypatch, f'printf "{_JAR.decode()}" > "$into/kafka.jar"')
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "kafka.jar").write_bytes(_JAR[:-1])
    (cache / "stray.jar").write_bytes(_JAR)

    assert sorted(fault.partition(" ")[0] for fault in jars.faults(cache)) == [
        "kafka.jar",
        "stray.jar",
    ]
    jars.ensure_jars(cache)

    assert jars.faults(cache) == []


@pytest.mark.usefixtures("one_pinned_jar")
def test_jars_other_than_the_pinned_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository that hands out something else cannot get it run, and leaves no cache."""
    _install_maven(tmp_path / "bin", monkeypatch, 'printf evil > "$into/kafka.jar"')
    cache = tmp_path / "cache"

    with pytest.raises(FetchError, match=r"kafka\.jar has SHA-256 \w+, not"):
        jars.ensure_jars(cache)

    assert not cache.exists()


@pytest.mark.usefixtures("one_pinned_jar")
def test_a_maven_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason that Maven gives reaches the user, with the place where proxies are set."""
    _install_maven(tmp_path / "bin", monkeypatch, "echo '[ERROR] Unknown host'; exit 1")

    with pytest.raises(FetchError, match=r"settings\.xml(.|\n)*Unknown host"):
        jars.ensure_jars(tmp_path / "cache")


@pytest.mark.usefixtures("one_pinned_jar")
def test_a_missing_maven_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Maven the message holds the command that installs it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolError, match=r"no mvn on the PATH.*apt-get install .*maven"):
        jars.ensure_jars(tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A home directory without write permission gives its path, not a traceback."""
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match=f"{tmp_path}/file/.* cannot be written"):
        jars.ensure_jars(tmp_path / "file" / "cache")


def test_the_cache_follows_the_xdg_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who moved the cache folder finds the jars there, shared by every checkout."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jars.default_cache() == tmp_path / "weir" / f"kafka-{jars.KAFKA_VERSION}"

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert jars.default_cache().parent == tmp_path / ".cache" / "weir"
