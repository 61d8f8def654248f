"""``weir produce``: rows of a file or of standard input to the events topic."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.errors import BrokerUnavailable, ConfigError
from streams.cli import exit_codes
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json
from streams.cli.options import AsJson, Bootstrap, read_settings
from streams.cli.progress import WorkProgress
from streams.cli.rejects import Rejects
from streams.cli.sender import EventSender
from streams.cli.source_options import FileOptions, takes_file
from streams.feed import LOOKED_AT, Feed, RejectedRow
from streams.kafka.topics import SOURCE_ROLE
from streams.messages import codec_of

EXAMPLES = (
    "weir produce cards.csv --id card --label fraud --time at --time-unit s",
    "weir produce clicks.jsonl --mapping clicks.yaml --rejects bad.jsonl",
    "weir produce train.vw --rate 1000 --limit 50000",
    "zcat history.csv.gz | weir produce - --format csv --id account",
)


@takes_file
def command(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file, or - for standard input.")
    ],
    file: FileOptions,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="Tenant of every event.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="N", min=0.001, help="Most events a second."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Stop after so many events.")
    ] = None,
    loop: Annotated[
        int,
        typer.Option("--loop", metavar="N", min=1, help="Go through the file so many times."),
    ] = 1,
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects", metavar="FILE", help="Where to keep rows that give no event, as JSON."
        ),
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Send the rows of a file as events.

    Reads CSV, JSON Lines, LIBSVM, Vowpal Wabbit and Avro files. What is what says a mapping file
    (docs/mapping.md) or the column options; without either, every column is a feature and every
    row an entity of its own. Events of one id keep their order.

    Rows that give no event are counted; without --rejects they make the exit code 1.
    """
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap))
    if settings.mapping is not None:
        raise ConfigError(
            f"workers read {settings.topics.name(SOURCE_ROLE)} through {settings.mapping}, which "
            "does not understand events: send messages of its form, or unset the setting `mapping`"
        )
    events = file.events(source)
    say = messages()
    for warning in events.warnings():
        text = f"in the first {LOOKED_AT:,} rows: {warning}"
        say.print(text, style="yellow", markup=False, soft_wrap=True)
    sender = EventSender(settings, rate)
    encode = codec_of(settings, "event", SOURCE_ROLE).encode
    feed = Feed(events, tenant=tenant, rounds=loop, encode=encode)
    started = time.monotonic()
    with Rejects(rejects, say) as rejected:
        with _delivered(sender), WorkProgress(say, "Sending", "events") as bar:
            for item in feed:
                if isinstance(item, RejectedRow):
                    rejected.add(item)
                else:
                    sender.send(item)
                    if limit is not None and sender.sent >= limit:
                        break
                if limit is None:
                    total = events.file_bytes
                    bar.show(sender.sent, events.bytes_read, total and total * loop)
                else:
                    bar.show(sender.sent, sender.sent, limit)
        summary = {
            "topic": settings.topics.name(SOURCE_ROLE),
            "sent": sender.sent,
            "delivered": sender.delivered,
            "failed": dict(sender.failures),
            "rejected": dict(rejected.counts),
            "seconds": round(time.monotonic() - started, 3),
        }
    if as_json:
        print_json(summary)
    else:
        _print(summary, rejects)
    if sender.failures:
        raise BrokerUnavailable(
            f"{sender.failures.total():,} of {sender.sent:,} events were not delivered: "
            f"{'; '.join(sender.failures)}"
        )
    if rejected.total and rejects is None:
        raise typer.Exit(exit_codes.INCOMPLETE_INPUT)


@contextmanager
def _delivered(sender: EventSender) -> Iterator[None]:
    """Wait for deliveries at the end; an interrupt ends the sending, not the waiting for them."""
    try:
        yield
    except KeyboardInterrupt:
        sender.finish()
        messages().print(f"interrupted after {sender.delivered:,} delivered events")
        raise typer.Exit(exit_codes.INTERRUPTED) from None
    sender.finish()


def _print(summary: dict[str, Any], rejects: Path | None) -> None:
    out = output()
    rate = summary["delivered"] / max(summary["seconds"], 1e-3)
    out.print(
        f"[bold green]{summary['delivered']:,}[/bold green] events delivered to "
        f"[bold]{summary['topic']}[/bold] in {summary['seconds']:.1f} s ({rate:,.0f}/s)"
    )
    if summary["rejected"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in summary["rejected"].items())
        where = f"kept in {rejects}" if rejects else "name a file with --rejects to keep them"
        total = sum(summary["rejected"].values())
        out.print(f"[yellow]{total:,} rows rejected[/yellow] ({reasons}); {where}")
