"""README and quickstart: every command, option, setting, link and picture in them exists."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from schemas.mapping import load_mapping
from streams.cli.lazy import LazyCommand
from streams.cli.main import app
from streams.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "docs" / "quickstart.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")
GROUP: Any = typer.main.get_command(app)

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def blocks(path: Path, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(path.read_text("utf-8")) if found == language]


def calls(path: Path, program: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of a program in a page's shell blocks."""
    for body in blocks(path, "sh"):
        for line in body.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == program:
                yield words[1:]


@page
def test_weir_commands_and_their_options_exist(path: Path) -> None:
    """What a page tells to type is understood: each command, and each option of it."""
    found = list(calls(path, "weir"))
    assert found
    for name, *arguments in found:
        command = GROUP.commands[name]
        assert isinstance(command, LazyCommand)
        options = {spelt for one in command.loaded.params for spelt in one.opts}
        used = {argument for argument in arguments if argument.startswith("--")}
        assert used <= options, f"weir {name}: {used - options}"


def test_make_targets_exist() -> None:
    """`make demo` and `make test` are the commands of the README, and targets."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    used = {name for name, *_ in calls(README, "make")}
    assert used == {"demo", "test"}
    assert used <= set(targets)


@page
def test_settings_are_accepted(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each settings file that is shown can be used as it stands, with the password beside it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WEIR_BROKER__SASL_PASSWORD", "secret")
    found = blocks(path, "toml")
    assert found
    for shown in found:
        body = shown.replace("/etc/ssl/", f"{tmp_path}/")
        for file in ("kafka-ca.pem", "weir.pem", "weir.key"):
            (tmp_path / file).touch()
        (tmp_path / "weir.toml").write_text(body, "utf-8")
        settings = load_settings()
        for name, value in tomllib.loads(body).items():
            if not isinstance(value, dict):
                assert getattr(settings, name) == value


def test_the_mapping_is_accepted(tmp_path: Path) -> None:
    """The mapping file of the quickstart can be used as it stands."""
    [body] = blocks(PAGES[1], "yaml")
    (tmp_path / "cards.yaml").write_text(body, "utf-8")
    load_mapping(tmp_path / "cards.yaml")


@page
def test_links_lead_somewhere(path: Path) -> None:
    """Every page and picture that is linked to is in the repository."""
    links = LINK.findall(path.read_text("utf-8"))
    assert links
    for link in links:
        assert (path.parent / link).is_file(), link


@pytest.mark.parametrize("name", ["demo.svg", "conversations.svg"])
def test_the_picture_stands_alone(name: str) -> None:
    """Pictures of the demonstration are SVG that fetches nothing when it is shown."""
    svg = (ROOT / "docs" / name).read_text("utf-8")
    assert svg.startswith("<svg")
    assert "url(http" not in svg
    assert "<script" not in svg
