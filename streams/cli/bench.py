"""``weir bench``: figures against peers and floors, on this machine."""

from collections.abc import Iterator  # noqa: TC003 - the module has no postponed annotations
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from streams.bench.bars import bars_of
from streams.bench.dlp import run_dlp
from streams.bench.document import label, number, render
from streams.bench.hlm import run_hlm
from streams.bench.measured import Measured
from streams.bench.stream import EVENTS, REPEATS, Part, Plan, run_stream
from streams.cli.console import messages, output, print_json, table
from streams.cli.options import AsJson

EXAMPLES = (
    "weir bench stream",
    "weir bench stream --only latency --repeats 7 --json",
    "weir bench hlm --json",
    "weir bench dlp --json",
    "weir bench all",
)

PAGE = Path("docs/benchmarks.md")


class Bench(StrEnum):
    """What can be measured."""

    STREAM = "stream"
    HLM = "hlm"
    DLP = "dlp"
    ALL = "all"


def command(
    name: Annotated[
        Bench, typer.Argument(metavar="NAME", help=f"stream, hlm, dlp, or all, and write {PAGE}.")
    ],
    only: Annotated[
        list[Part] | None,
        typer.Option(
            "--only",
            metavar="PART",
            help="Of stream, this part: events, null or latency. May be given more than once.",
        ),
    ] = None,
    events: Annotated[
        int,
        typer.Option(
            "--events", metavar="N", min=20_000, help="Of stream: events that each run commits."
        ),
    ] = EVENTS,
    repeats: Annotated[
        int, typer.Option("--repeats", metavar="N", min=1, help="Runs of each contender.")
    ] = REPEATS,
    as_json: AsJson = False,
) -> None:
    """Measure, against peers, on this machine.

    stream starts a broker of its own in a temporary folder; needs java and mvn. The peer is
    installed beside the program, in .venv-peers, the first time. All share two cores. Takes ten
    minutes. hlm needs neither broker nor network, but the development requirements, and takes some
    four minutes. dlp compares with the network in float and with Presidio where they are
    installed. Leave the machine alone meanwhile.

    Ends with 0 also where a figure misses its bar: only wrong output is an error.
    """
    lines: list[Measured] = []
    say = messages()
    with say.status("Measuring …") as status:

        def tell(what: str) -> None:
            status.update(f"Measuring: {what} …")

        runs: list[Iterator[Measured]] = []
        if name in (Bench.STREAM, Bench.ALL):
            runs.append(run_stream(Plan(events, repeats, frozenset(only or Part), tell)))
        if name in (Bench.HLM, Bench.ALL):
            runs.append(run_hlm(repeats, tell))
        if name in (Bench.DLP, Bench.ALL):
            runs.append(run_dlp(repeats, tell))
        for line in chain.from_iterable(runs):
            lines.append(line)
            if as_json:
                print_json(line._asdict())
    if not as_json:
        output().print(_table(lines))
    if name is Bench.ALL:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(
            render(
                lines,
                ["weir bench stream --json", "weir bench hlm --json", "weir bench dlp --json"],
            ),
            encoding="utf-8",
        )
        say.print(f"written to {PAGE}")


def _table(lines: list[Measured]) -> Table:
    made = table(
        "weir bench",
        ("figure", "value", "unit", "least", "most", "against", "its value", "times better", "bar"),
        ("value", "least", "most", "its value", "times better"),
    )
    for line in lines:
        bars = [
            f"[green]met[/green] {bar.words}" if bar.met(line) else f"[red]missed[/red] {bar.words}"
            for bar in bars_of(line)
        ]
        made.add_row(
            label(line),
            number(line.value),
            line.unit,
            number(line.params["min"]),
            number(line.params["max"]),
            line.against or "",
            "" if line.against_value is None else number(line.against_value),
            "" if line.ratio is None else number(line.ratio),
            "\n".join(bars),
        )
    return made
