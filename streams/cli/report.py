"""``weir report``: what days of logs say, as one page."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.sources.errors import UnreadableSource
from streams.cli.console import messages, output, print_json
from streams.cli.options import AsJson, read_settings
from streams.report import page
from streams.report.figures import figures
from streams.report.lines import find
from streams.report.summary import Period, Summary

EXAMPLES = (
    "weir report streams",
    "weir report streams --days 7 --out week.html",
    "weir report streams /logs/worker-0 /logs/worker-1 --since 2026-11-20 --json",
)

DAY = "%Y-%m-%d"
MINUTE = "%Y-%m-%dT%H:%M"


class Subject(StrEnum):
    """What can be reported on."""

    STREAMS = "streams"


def command(
    what: Annotated[
        Subject,
        typer.Argument(metavar="NAME", help="streams: the token stream, from its six logs."),
    ],
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DIR...",
            help="Folders of logs, of one or more workers; default: the settings'.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page.")] = Path(
        "streams.html"
    ),
    since: Annotated[
        datetime | None,
        typer.Option("--since", metavar="TIME", formats=[DAY, MINUTE], help="From then on, UTC."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", metavar="TIME", formats=[DAY, MINUTE], help="Before then, UTC."),
    ] = None,
    days: Annotated[
        float | None,
        typer.Option("--days", metavar="N", min=0, help="The last so many days; for --since."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report latency, calibration, revisions, failures and boundaries, as one page.

    Reads days of workers' logs (docs/stream-logs.md), rotated and packed files too, once and in
    bounded memory, and writes one HTML page with plots and tables that needs nothing beside it.
    Lines that are torn or damaged are counted, shown and left out. With --json the main figures
    are printed as well.
    """
    del what
    if days is not None and since is not None:
        raise typer.BadParameter("--since says it already", param_hint="--days")
    if days is not None:
        since = datetime.now(UTC) - timedelta(days=days)
    settings = read_settings()
    chosen = folders or [settings.stream_logs_dir]
    for folder in chosen:
        if not folder.is_dir():
            raise UnreadableSource(f"{folder} is no folder: name the one that workers log into")
    if not find(chosen):
        raise UnreadableSource(
            f"no logs of streams in {', '.join(map(str, chosen))}: name the folder that workers "
            "log into (stream_logs.directory, by default data_dir/stream-logs)"
        )
    period = Period(
        since.replace(tzinfo=UTC).timestamp() if since else 0.0,
        until.replace(tzinfo=UTC).timestamp() if until else float("inf"),
    )
    summary = Summary(settings.pace)
    say = messages()
    with say.status("Reading …") as status:
        summary.read(
            chosen,
            period,
            lambda path, read: status.update(f"Reading {path.name}, {read:,} records so far …"),
        )
    text = page.render(summary, [str(folder) for folder in chosen], datetime.now(UTC))
    beside = out.with_name(f"{out.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(out)
    if as_json:
        print_json(figures(summary))
    else:
        output().print(str(out), markup=False, soft_wrap=True)
    if unread := summary.damage.counts.total():
        say.print(f"lines that could not be read: {unread:,}; the page says which", style="yellow")
