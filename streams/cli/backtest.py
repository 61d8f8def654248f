"""``weir backtest``: a file through the steps of the stream, without Kafka."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from streams.backtest import BacktestReport, run_backtest
from streams.cli import exit_codes
from streams.cli.console import messages, output, print_json, printable, table
from streams.cli.keys import make_secrets
from streams.cli.options import AsJson, DataDir, read_settings
from streams.cli.progress import WorkProgress
from streams.cli.rejects import Rejects
from streams.cli.source_options import FileOptions, takes_file
from streams.feed import LOOKED_AT, FedEvent, Feed, RejectedRow

EXAMPLES = (
    "weir backtest cards.csv --id card --label fraud",
    "weir backtest cards.csv --id card --label fraud --out out && weir verify out",
    "weir --config trial.toml backtest train.vw --json",
)

_HASH_DIGITS = 16


@takes_file
def command(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file, or - for standard input.")
    ],
    file: FileOptions,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="Tenant of every event.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Stop after so many rows.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write predictions, audit records, checkpoints and quarantine there, as Avro.",
        ),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option("--shards", metavar="N", min=1, help="Default: as many as the settings say."),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects", metavar="FILE", help="Where to keep rows that give no event, as JSON."
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run a file through the same steps, without Kafka.

    Gives the predictions, weights and audit roots that the stream would give, bit for bit, and
    scores every prediction before its label is learnt from. Files are read as `weir produce` reads
    them. Makes secrets where there are none: the audit trail is signed as a worker's is.

    The exit code is 1 if rows gave no event and --rejects keeps them nowhere.
    """
    settings = read_settings(topics__partitions=shards, data_dir=data_dir)
    make_secrets(settings)
    events = file.events(source)
    say = messages()
    for warning in events.warnings():
        text = f"in the first {LOOKED_AT:,} rows: {warning}"
        say.print(text, style="yellow", markup=False, soft_wrap=True)
    with ExitStack() as stack:
        rejected = stack.enter_context(Rejects(rejects, say))
        bar = stack.enter_context(WorkProgress(say, "Stepping", "events"))

        def watched() -> Iterator[FedEvent | RejectedRow]:
            for item in islice(Feed(events, tenant=tenant), limit):
                if isinstance(item, RejectedRow):
                    rejected.add(item)
                yield item

        def show(count: int) -> None:
            if limit is None:
                bar.show(count, events.bytes_read, events.file_bytes)
            else:
                bar.show(count, count, limit)

        report = run_backtest(settings, watched(), out, progress=show)
    if as_json:
        print_json(_plain(report))
    else:
        _print(report)
    if rejected.total and rejects is None:
        raise typer.Exit(exit_codes.INCOMPLETE_INPUT)


def _plain(report: BacktestReport) -> dict[str, object]:
    scores = {
        name: {key: None if math.isnan(number) else number for key, number in score.items()}
        for name, score in report.scores.as_dict().items()
    }
    return {
        "events": report.events,
        "rejected": report.rejected,
        "quarantined": report.quarantined,
        "predictions": report.predictions,
        "seconds": round(report.seconds, 3),
        "scores": scores,
        "cells": [
            {
                "tenant": cell.tenant,
                "shard": cell.shard,
                "steps": cell.steps,
                "audit_root": cell.audit_root,
                "chain_head": cell.chain_head,
                "state_digest": cell.state_digest,
            }
            for cell in report.cells
        ],
    }


def _print(report: BacktestReport) -> None:
    out = output()
    rate = report.events / max(report.seconds, 1e-3)
    out.print(
        f"[bold green]{report.predictions:,}[/bold green] predictions in {report.seconds:.1f} s "
        f"({rate:,.0f} events/s)"
    )
    if report.rejected or report.quarantined:
        out.print(
            f"[yellow]{report.rejected:,} rows gave no event, {report.quarantined:,} events went "
            "to quarantine[/yellow]"
        )
    if report.scores.labels:
        out.print(_scores(report))
    out.print(_cells(report))


def _scores(report: BacktestReport) -> Table:
    scores = report.scores.as_dict()
    names = [name for name in next(iter(scores.values())) if name != "labels"]
    shown = table(f"Scores over {report.scores.labels:,} labels", ("learner", *names), names)
    for learner, score in scores.items():
        shown.add_row(learner, *(f"{score[name]:.4f}" for name in names))
    return shown


def _cells(report: BacktestReport) -> Table:
    numbers = ("shard", "steps")
    shown = table("Cells", ("tenant", "shard", "steps", "audit root", "weights"), numbers)
    for cell in report.cells:
        shown.add_row(
            escape(printable(cell.tenant)),
            f"{cell.shard}",
            f"{cell.steps:,}",
            cell.audit_root.hex()[:_HASH_DIGITS] + "…",
            cell.state_digest.hex()[:_HASH_DIGITS] + "…",
        )
    return shown
