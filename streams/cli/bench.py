"""``weir bench``: figures against peers and floors, on this machine."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from streams.bench.accuracy import run_accuracy
from streams.bench.bars import bars_of
from streams.bench.dlp import run_dlp
from streams.bench.document import label, number, render
from streams.bench.drift import run_drift
from streams.bench.durable import run_durable
from streams.bench.fuse import run_fuse
from streams.bench.hlm import run_hlm
from streams.bench.measured import Measured
from streams.bench.sera import run_sera
from streams.bench.shards import run_shards
from streams.bench.stream import EVENTS, REPEATS, Part, Plan, run_stream
from streams.bench.tokens import run_tokens
from streams.cli.console import messages, output, print_json, table
from streams.cli.options import AsJson

EXAMPLES = (
    "weir bench stream",
    "weir bench stream --only latency --repeats 7 --json",
    "weir bench hlm --json",
    "weir bench sera --json",
    "weir bench drift --plot drift.png",
    "weir bench shards --json",
    "weir bench dlp --json",
    "weir bench durable --json",
    "weir bench tokens --json",
    "weir bench all",
)

PAGE = Path("docs/benchmarks.md")


class Bench(StrEnum):
    """What can be measured."""

    STREAM = "stream"
    HLM = "hlm"
    SERA = "sera"
    FUSE = "fuse"
    ACCURACY = "accuracy"
    DRIFT = "drift"
    SHARDS = "shards"
    DLP = "dlp"
    DURABLE = "durable"
    TOKENS = "tokens"
    ALL = "all"


NAMES = [name.value for name in Bench if name is not Bench.ALL]

RUNS: dict[Bench, Callable[[Plan], Iterator[Measured]]] = {
    Bench.STREAM: run_stream,
    Bench.HLM: lambda plan: run_hlm(plan.repeats, plan.say),
    Bench.SERA: lambda plan: run_sera(plan.repeats, plan.say),
    Bench.FUSE: lambda plan: run_fuse(plan.repeats, plan.say),
    Bench.ACCURACY: lambda plan: run_accuracy(plan.say),
    Bench.DRIFT: lambda plan: run_drift(plan.plot, plan.say),
    Bench.SHARDS: lambda plan: run_shards(plan.plot, plan.say),
    Bench.DLP: lambda plan: run_dlp(plan.repeats, plan.say),
    Bench.DURABLE: lambda plan: run_durable(plan.repeats, plan.say),
    Bench.TOKENS: lambda plan: run_tokens(plan.repeats, plan.say),
}


def command(
    name: Annotated[
        Bench,
        typer.Argument(
            metavar="NAME",
            help=f"{', '.join(NAMES)}, or all: each, and write {PAGE}.",
        ),
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
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Of drift or shards: draw it, as PNG, SVG or PDF.",
            dir_okay=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure, against peers, on this machine.

    stream starts a broker of its own in a temporary folder; needs java and mvn. The peer is
    installed beside the program, in .venv-peers, the first time. All share two cores. Takes ten
    minutes. hlm needs neither broker nor network, but the development requirements, and takes some
    four minutes; sera needs one core and four minutes, fuse two. accuracy and drift are no
    races: predictions of real streams, against River and Vowpal Wabbit, and the health of a learner
    through a spike of novelty. dlp compares with the network in float and with Presidio where they
    are installed. durable leaves parts of the worker out in turn, and puts encryption in, to see
    what each costs, and verifies audit logs. Leave the machine alone meanwhile.

    Ends with 0 also where a figure misses its bar: only wrong output is an error.
    """
    lines: list[Measured] = []
    say = messages()
    with say.status("Measuring …") as status:
        plan = Plan(
            events=events,
            repeats=repeats,
            parts=frozenset(only or Part),
            plot=plot,
            say=lambda what: status.update(f"Measuring: {what} …"),
        )
        for line in _run(name, plan):
            lines.append(line)
            if as_json:
                print_json(line._asdict())
    if not as_json:
        output().print(_table(lines))
    if name is Bench.ALL:
        PAGE.parent.mkdir(exist_ok=True)
        commands = [f"weir bench {bench.value} --json" for bench in RUNS]
        PAGE.write_text(render(lines, commands), encoding="utf-8")
        say.print(f"written to {PAGE}")


def _run(name: Bench, plan: Plan) -> Iterator[Measured]:
    for bench, run in RUNS.items():
        if name in (bench, Bench.ALL):
            yield from run(plan)


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
