"""``weir quarantine``: what could not be used, and sending it again."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape

from schemas.codec import Codec
from schemas.errors import BadMessage, ConfigError
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json, printable, table
from streams.cli.options import AsJson, Bootstrap, flag, read_settings
from streams.kafka.reader import PartitionReader
from streams.quarantine import Quarantined, Redriver, read_quarantine

EXAMPLES = (
    "weir quarantine list --reason UNKNOWN_TENANT",
    "weir quarantine show 2@17",
    "weir quarantine redrive 2@17 2@18",
    "weir quarantine redrive --reason UNKNOWN_TENANT --yes",
)
_MILLISECONDS = 1_000
_SHOWN_BYTES = 64


class Kind(StrEnum):
    """What is to be done."""

    LIST = "list"
    SHOW = "show"
    REDRIVE = "redrive"


def command(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="list what there is; show some whole; redrive: send some again.",
        ),
    ],
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="PLACES", help="These: partition@offset, as list has them."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="CODE", help="With this reason only.")
    ] = None,
    shard: Annotated[
        int | None, typer.Option("--shard", metavar="N", min=0, help="Of this shard only.")
    ] = None,
    everything: Annotated[bool, flag("--all", help="Of redrive: whatever there is.")] = False,
    pending: Annotated[
        bool, flag("--pending", help="Of list: only what has not been sent again.")
    ] = False,
    yes: Annotated[bool, flag("--yes", help="Of redrive: do not ask.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List, show and send again what could not be used.

    A quarantined message has its bytes, the place that it came from, and a reason code. Once what
    was wrong is mended (a tenant admitted, a mapping corrected, an observation arrived), redrive
    sends it to its own partition again, each message once, however often and by whomever it is
    called. What is still of no use comes back to the quarantine as a new record.

    Exit codes: 0 done; 1 some messages' bytes are nowhere any more.
    """
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap))
    wanted = _choice(set(places or ()), reason, shard)
    reader = PartitionReader(settings.broker)
    code = 0
    if kind is Kind.REDRIVE:
        if not (places or reason or shard is not None or everything):
            raise ConfigError("name places, --reason or --shard, or --all")
        chosen = [one for one in read_quarantine(settings, reader) if wanted(one)]
        left = sum(not one.redriven for one in chosen)
        messages().print(f"{left:,} of {len(chosen):,} have not been sent again yet", markup=False)
        if left and not yes and not typer.confirm("Send them again?", err=True):
            raise typer.Exit(1)
        done = Redriver(settings, reader).redrive(wanted, lambda _: None)
        if as_json:
            print_json(done._asdict())
        else:
            output().print(f"{done.sent:,} sent again, {done.already:,} had been before")
        for place in done.gone:
            messages().print(f"{place}: its bytes are nowhere any more", style="red", markup=False)
        code = 1 if done.gone else 0
    else:
        found = [
            one
            for one in read_quarantine(settings, reader)
            if wanted(one) and not (pending and one.redriven)
        ]
        if kind is Kind.LIST:
            _list(found, as_json)
        else:
            _show(found, as_json)
    reader.close()
    raise typer.Exit(code)


def _choice(
    places: set[str], reason: str | None, shard: int | None
) -> Callable[[Quarantined], bool]:
    def wanted(one: Quarantined) -> bool:
        return (
            (not places or one.place in places)
            and reason in (None, one.reason)
            and shard in (None, one.partition)
        )

    return wanted


def _list(found: list[Quarantined], as_json: bool) -> None:
    shown = table(
        "Quarantine", ("place", "reason", "came from", "at", "bytes", "sent again"), ("bytes",)
    )
    for one in found:
        if as_json:
            print_json(_plain(one))
            continue
        at = time.gmtime(one.timestamp_ms / _MILLISECONDS)
        shown.add_row(
            one.place,
            escape(printable(one.reason)),
            escape(printable(f"{one.topic}[{one.source_partition}]@{one.source_offset}")),
            time.strftime("%Y-%m-%d %H:%M:%SZ", at),
            "-" if one.value is None else f"{len(one.value):,}",
            "yes" if one.redriven else "",
        )
    if not as_json:
        output().print(shown)


def _show(found: list[Quarantined], as_json: bool) -> None:
    for one in found:
        if as_json:
            print_json(_plain(one))
            continue
        out = output()
        out.print(printable(f"{one.place} {one.reason}"), style="bold", markup=False)
        where = f"{one.topic}[{one.source_partition}]@{one.source_offset}"
        for name, text in (
            ("detail", one.detail),
            ("came from", where),
            ("key", (one.key or b"").decode("utf-8", "replace")),
            ("value", "none here" if one.value is None else one.value[:_SHOWN_BYTES].hex()),
            ("event", str(_event(one.value) or "cannot be read as one")),
            ("sent again", "yes" if one.redriven else "no"),
        ):
            out.print(f"  {name}: {printable(text)}", markup=False, soft_wrap=True)
        if one.trace:
            out.print(one.trace, style="dim", markup=False, soft_wrap=True)


def _plain(one: Quarantined) -> dict[str, Any]:
    return {"place": one.place, **one._asdict(), "event": _event(one.value)}


def _event(value: bytes | None) -> dict[str, Any] | None:
    """Return the message as an event, where it is one in plain Avro."""
    if value is None:
        return None
    try:
        return dict(Codec("event").decode(value))
    except BadMessage:
        return None
