"""``weir tail``: the outputs as they are committed."""

from collections import deque
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from schemas.errors import BadMessage, ConfigError
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json, printable, table
from streams.cli.follow import Start, follow
from streams.cli.options import AsJson, Bootstrap, read_settings
from streams.cli.outputs import OUTPUTS, Output, OutputReader, Row, as_json
from streams.settings import Settings

EXAMPLES = (
    "weir tail",
    "weir tail --topic quarantine --from beginning --json",
    "weir tail --topic audit --limit 100",
)

_CHROME_LINES = 6  # title, frame and caption of the table
_REFRESH_HZ = 8
_UNBOUNDED = 10_000  # characters, wider than any table
_WAITING = "waiting for records; Ctrl-C ends"


def command(
    topic: Annotated[
        str,
        typer.Option("--topic", metavar="TOPIC", help=f"{', '.join(OUTPUTS)}."),
    ] = "predictions",
    start: Annotated[
        Start,
        typer.Option(
            "--from", metavar="WHERE", help="beginning, or end: only what is committed from now on."
        ),
    ] = Start.END,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Stop after so many records.")
    ] = None,
    bootstrap: Bootstrap = None,
    as_json_lines: AsJson = False,
) -> None:
    """Show predictions or other outputs as they are committed.

    On a terminal as a table of the latest; in a pipe as one line each. Reads committed records
    only, so what shows here stays. Ends with Ctrl-C, or after --limit records.

    Records in quarantine show their size only; --json gives their bytes, in base64.
    """
    shown = OUTPUTS.get(topic)
    if shown is None:
        raise ConfigError(f"--topic {topic}: there are {', '.join(OUTPUTS)}")
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap))
    rows = _rows(settings, shown, start, limit)
    try:
        if as_json_lines:
            for batch in rows:
                for row in batch:
                    print_json(as_json(row))
        elif output().is_terminal:
            show_live(shown, rows)
        else:
            _lines(shown, rows)
    except KeyboardInterrupt:
        # The usual end, where no limit was given.
        raise typer.Exit from None


def _rows(
    settings: Settings, shown: Output, start: Start, limit: int | None
) -> Iterator[list[Row]]:
    """Yield decoded rows, at most ``limit`` of them."""
    reader = OutputReader(settings, shown)
    left = limit
    for records in follow(settings, reader.topic, start):
        rows: list[Row] = []
        for record in records[:left]:
            try:
                rows.append(reader.read(record))
            except BadMessage as error:
                place = f"{record.topic}[{record.partition}]@{record.offset}"
                messages().print(f"{place}: {error}", style="yellow", markup=False, soft_wrap=True)
        yield rows
        if left is not None:
            left -= len(records[:left])
            if left == 0:
                return


def show_live(shown: Output, rows: Iterator[list[Row]]) -> None:
    """Show the latest rows in a table that is drawn anew, until there are no more."""
    console = output()
    latest: deque[Row] = deque(maxlen=max(1, console.height - _CHROME_LINES))
    count = 0
    first = fitting(console, shown, latest, count)
    with Live(first, console=console, refresh_per_second=_REFRESH_HZ) as live:
        for batch in rows:
            count += len(batch)
            latest.extend(batch)
            live.update(fitting(console, shown, latest, count))


def fitting(console: Console, shown: Output, latest: deque[Row], count: int) -> Table:
    """Return a table of the latest rows, with no more columns than the terminal is wide for."""
    headings = list(shown.columns)
    unbounded = console.options.update(max_width=_UNBOUNDED)
    made = _table(shown, headings, latest, count)
    for spare in shown.spare:
        if Measurement.get(console, unbounded, made).maximum <= console.width:
            break
        headings.remove(spare)
        made = _table(shown, headings, latest, count)
    return made


def _table(shown: Output, headings: list[str], latest: deque[Row], count: int) -> Table:
    made = table(shown.role, headings, shown.numbers)
    made.caption = f"{count:,} records" if count else _WAITING
    for row in latest:
        made.add_row(*(Text(printable(shown.columns[name](row))) for name in headings))
    return made


def _lines(shown: Output, rows: Iterator[list[Row]]) -> None:
    print("\t".join(shown.columns), flush=True)
    for batch in rows:
        for row in batch:
            print("\t".join(printable(show(row)) for show in shown.columns.values()))
        if batch:
            print(end="", flush=True)
