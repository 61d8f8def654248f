"""What the options say of a file is what its rows become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from schemas.errors import ConfigError
from schemas.sources import BadRow, Format
from streams.cli.source_options import FileOptions, takes_file

if TYPE_CHECKING:
    from pathlib import Path

CSV = "card,at,amount,zip,fraud\nc1,5,3.5,01067,0\nc2,6,NA,10115,1\n"


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    path = tmp_path / "cards.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def parse(arguments: list[str]) -> FileOptions:
    """The options as a command receives them."""
    received: list[FileOptions] = []

    def run(file: FileOptions) -> None:
        received.append(file)

    app = typer.Typer()
    app.command()(takes_file(run))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return received[0]


def events(path: Path, *arguments: str) -> list[dict[str, Any]]:
    rows = list(parse(list(arguments)).events(path))
    assert not [row for row in rows if isinstance(row, BadRow)]
    return [row.event for row in rows if not isinstance(row, BadRow)]


def test_columns_become_the_parts_of_events(cards: Path) -> None:
    """Each option fills the part of the event that it is named for."""
    first, second = events(
        cards,
        *("--id", "card", "--time", "at", "--time-unit", "s", "--label", "fraud"),
        *("--categories", "zip", "--missing", "NA,-", "--event-id", "at"),
    )
    assert (first["id"], first["event_id"], first["time_us"]) == ("c1", "5", 5_000_000)
    assert (first["label"], second["label"]) == (0.0, 1.0)
    assert first["features"] == {"amount": 3.5, "zip=01067": 1.0}
    assert second["features"] == {"zip=10115": 1.0}


def test_without_options_every_column_is_a_feature(cards: Path) -> None:
    """A file can be fed as it is: each row an entity of its own."""
    first, second = events(cards)
    assert first["id"] != second["id"]
    assert {"amount", "fraud", "card=c1"} <= set(first["features"])


def test_lists_name_several_columns(cards: Path) -> None:
    """Columns in a list are separated by commas; only those named are features."""
    first, _ = events(cards, "--features", "at, amount", "--context", "card")
    assert first["features"] == {"at": 5.0, "amount": 3.5}
    assert first["context"] == {"card": "c1"}


def test_mapping_file_takes_the_place_of_columns(cards: Path, tmp_path: Path) -> None:
    """With a mapping file no column needs to be named."""
    path = tmp_path / "cards.yaml"
    path.write_text(
        "tenant: {constant: acme}\nid: card\ntime: {field: at, unit: s}\nfeatures: {auto: ['*']}\n",
        encoding="utf-8",
    )
    first, _ = events(cards, "--mapping", str(path))
    assert (first["tenant"], first["id"]) == ("acme", "c1")


def test_mapping_and_columns_contradict_each_other(cards: Path, tmp_path: Path) -> None:
    """Both at once would leave open which of them counts; the error names the columns given."""
    options = parse(["--mapping", str(tmp_path / "m.yaml"), "--tenant-column", "card"])
    with pytest.raises(ConfigError, match="--tenant-column"):
        options.events(cards)


def test_format_can_be_said(tmp_path: Path) -> None:
    """A file whose name tells nothing is read as the format that is given."""
    path = tmp_path / "export"
    path.write_text("1 2:0.5\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="format"):
        parse([]).events(path)
    [event] = events(path, "--format", "libsvm")
    assert event["label"] == 1.0
    assert parse(["--format", "vw"]).file_format is Format.VOWPAL_WABBIT


def test_options_of_a_file_do_not_hide_those_of_the_command() -> None:
    """A command may have an option of its own beside them, even one that is named alike."""
    received: list[tuple[str, FileOptions]] = []

    def run(file: FileOptions, tenant: str = "default") -> None:
        received.append((tenant, file))

    app = typer.Typer()
    app.command()(takes_file(run))
    result = CliRunner().invoke(app, ["--tenant", "acme", "--tenant-column", "whose"])
    assert result.exit_code == 0, result.output
    [(tenant, file)] = received
    assert tenant == "acme"
    assert file.columns == {"tenant": "whose"}
