"""``weir report streams``: one page that needs nothing beside it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import TYPE_CHECKING, ClassVar

import pytest
from typer.testing import CliRunner

from schemas.sources.errors import UnreadableSource
from streams.cli.main import app
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.settings import LogShares, StreamLogSettings
from tests.unit.streams.hierarchy.logs.happenings import Counted, everything
from tests.unit.streams.report.days import Days

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


class Page(HTMLParser):
    """What a browser makes of the page."""

    VOID: ClassVar = {"meta"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what matters."""
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "aria-label":
                self.labels.append(value or "")
            if name in {"src", "href", "xlink:href"}:
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """The same of elements without content."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Elements are closed in order."""
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Headings are what sections are told by."""
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of two days in rotated files."""
    folder = tmp_path_factory.mktemp("days")
    settings = StreamLogSettings(rotate_bytes=100_000, queue_records=10**6)
    Days(folder, settings).run(hours=48, streams_an_hour=4)
    return folder


@pytest.fixture(scope="module")
def text(days: Path) -> str:
    """The page of two days."""
    out = days.parent / "page.html"
    result = report(str(days), "--out", str(out))
    assert result.exit_code == 0, result.output
    assert not out.with_name("page.html.part").exists()
    return out.read_text("utf-8")


def report(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["report", "streams", *arguments])


def test_the_page_shows_everything_and_needs_nothing(text: str) -> None:
    """Eight drawings with labels, in sections; no script, no link, nothing from elsewhere."""
    page = Page(text)
    assert page.headings == [
        "Latency", "Degradation", "Calibration", "Verdicts and revisions", "Boundaries",
        "Failures", "What the logs hold, and what they lack",
    ]  # fmt: skip
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == len(page.labels) == 8
    assert all(link.startswith("#") for link in page.links)
    assert "<script" not in text
    assert "url(http" not in text
    assert "default-src 'none'" in text
    assert len(set(page.ids)) == len(page.ids)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_drawings_take_the_pages_colours(text: str) -> None:
    """Light or dark: no colour is fixed but through the page's variables, which both define."""
    light, dark = text.split("prefers-color-scheme: dark")[:2]
    used = set(re.findall(r"var\(--([\w-]+)\)", text))
    for defined in (light, dark.split("}")[0]):
        assert used <= set(re.findall(r"--([\w-]+):", defined))
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(drawing)  # noqa: S314 - our own
        assert re.findall(r"(?:fill|stroke): ?(#(?!000000|ffffff)\w+)", drawing) == []


def test_colours_can_be_told_from_the_paper(text: str) -> None:
    """Contrast as WCAG 2.2 asks for: 3 for lines, 4.5 for words, light and dark."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6})", part))
        for part in text.split("prefers-color-scheme: dark")[:2]
    )
    for colours in (light, dark):
        paper = _luminance(colours["paper"])
        for name in colours.keys() - {"paper", "soft"}:
            ends = sorted((_luminance(colours[name]), paper))
            wanted = 4.5 if name in {"ink", "series-6"} else 3.0
            assert (ends[1] + 0.05) / (ends[0] + 0.05) >= wanted, name


def _luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_json_has_the_figures(days: Path) -> None:
    """For those who keep an eye on them by program."""
    result = report(str(days), "--json", "--days", "100000")
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    assert figures["streams_ended"].keys() == {"ALLOW", "BLOCK"}
    assert sum(figures["streams_ended"].values()) == 48 * 4
    assert 0 < figures["latency"]["token_latency"]["p50_ms"] < 50
    assert figures["damaged"] == figures["dropped"] == {}
    assert figures["files"] > 20


def test_damage_is_shown_and_not_fatal(days: Path, tmp_path: Path) -> None:
    """The page names log, file and line; the command says how many."""
    [path] = [one for one in days.iterdir() if one.name.startswith("failures")]
    (tmp_path / path.name).write_bytes(path.read_bytes() + b'{"torn')
    result = report(".")
    assert result.exit_code == 0
    assert "lines that could not be read: 1;" in result.stderr
    assert "torn at the end of a file" in (tmp_path / "streams.html").read_text("utf-8")


def test_raw_logs_make_no_raw_report(tmp_path: Path) -> None:
    """The page holds figures; what was said stays in the logs, and markup in names is text."""
    settings = StreamLogSettings(contents="raw", shares=LogShares(model_state=1.0))
    logs = StreamLogs(settings, tmp_path / "logs", Counted())
    everything(logs, "ssn 078-05-1120", "<script>alert(1)</script>")
    logs.close()
    assert report(str(tmp_path / "logs"), "--out", "page.html").exit_code == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "078-05" not in text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    Page(text)


def test_logs_without_a_record_make_a_page_that_says_so(tmp_path: Path) -> None:
    """A quiet night is no error."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "failures_20261122T180000Z-0123abcd.jsonl").touch()
    assert report(str(folder), "--out", "page.html").exit_code == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "no record" in text
    assert text.count("nothing was logged") == 8
    Page(text)


@pytest.mark.parametrize("arguments", [["nowhere"], ["."], []])
def test_without_logs_it_says_where_they_should_be(arguments: list[str]) -> None:
    """Exit code 66, and the folder."""
    result = report(*arguments)
    assert result.exit_code == UnreadableSource.exit_code
    assert "log into" in result.stderr


def test_two_beginnings_are_one_too_many() -> None:
    """--days and --since exclude each other."""
    assert report(".", "--days", "2", "--since", "2026-11-20").exit_code == 2
