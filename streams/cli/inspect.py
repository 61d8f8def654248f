"""``weir inspect``: topics, lag, shards, cells and chain heads."""

from dataclasses import asdict

from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from streams.cli.broker import reach_broker
from streams.cli.console import output, print_json, printable, table
from streams.cli.options import AsJson, Bootstrap, DataDir, read_settings
from streams.inspect import Report, inspect_application

EXAMPLES = ("weir inspect", "weir inspect --json | jq '.shards[] | {shard, lag}'")

_HASH_DIGITS = 16
_GROUP_STATES = {"None": "none yet", "Dead": "none yet", "Empty": "none", "Stable": "serving"}


def command(bootstrap: Bootstrap = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show topics, lag, shards, cells and chain heads.

    Reads from the cluster: offsets, the consumer group, the latest signed checkpoints of the audit
    trail; and from the state folder of this machine what no running worker holds.
    """
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap, data_dir=data_dir))
    report = inspect_application(settings)
    if as_json:
        print_json(_plain(report))
        return
    out = output()
    out.print(
        f"[bold]{escape(report.application_id)}[/bold] on {escape(report.bootstrap)}; "
        f"workers: {_GROUP_STATES.get(report.group_state, report.group_state)}"
    )
    out.print(_topics(report))
    if report.shards:
        out.print(_shards(report))
        for reason in dict.fromkeys(s.unreadable for s in report.shards if s.unreadable):
            out.print(printable(reason), style="dim", markup=False, soft_wrap=True)
    if report.cells:
        out.print(_cells(report))
    if not report.searched_all:
        out.print("[dim]only the latest checkpoints were searched: idle cells may be missing[/dim]")


def _plain(report: Report) -> dict[str, object]:
    shards = [asdict(shard) | {"lag": shard.lag} for shard in report.shards]
    return asdict(report) | {"shards": shards}


def _topics(report: Report) -> Table:
    numbers = ("partitions", "offsets", "start", "end")
    shown = table("Topics", ("topic", "role", *numbers), numbers)
    for topic in report.topics:
        if topic.ends:
            cells = (
                f"{len(topic.ends)}",
                f"{topic.offsets:,}",
                _each(topic.starts),
                _each(topic.ends),
            )
        else:
            cells = ("[yellow]missing[/yellow]", "", "", "")
        shown.add_row(escape(printable(topic.name)), topic.role, *cells)
    return shown


def _each(offsets: tuple[int, ...]) -> str:
    if len(set(offsets)) == 1:
        return f"{offsets[0]:,}"
    return f"{min(offsets):,} to {max(offsets):,}"


def _shards(report: Report) -> Table:
    numbers = ("shard", "end", "committed", "lag", "checkpoint", "on disk")
    columns = (
        "source",
        "shard",
        "end",
        "committed",
        "lag",
        "worker",
        "checkpoint",
        "on disk",
        "state here",
    )
    shown = table("Shards", columns, numbers)
    for shard in report.shards:
        lag = shard.lag
        local = shard.local
        if local is not None:
            here = (
                _offset(local.checkpoint_offset),
                decimal(local.bytes_on_disk),
                f"up to {_offset(local.source_offset)}",
            )
        else:
            here = ("", "", "not here" if shard.unreadable is None else "not readable")
        shown.add_row(
            shard.source,
            f"{shard.shard}",
            f"{shard.end:,}",
            _offset(shard.committed),
            f"[{'yellow' if lag else 'green'}]{lag:,}[/]",
            escape(printable(shard.worker or "-")),
            *here,
        )
    return shown


def _offset(offset: int | None) -> str:
    return "-" if offset is None else f"{offset:,}"


def _cells(report: Report) -> Table:
    numbers = ("shard", "records")
    columns = ("tenant", "source", "shard", "records", "root", "chain head")
    shown = table("Cells, as their latest signed checkpoints have them", columns, numbers)
    for cell in report.cells:
        shown.add_row(
            escape(printable(cell.tenant)),
            cell.source,
            f"{cell.shard}",
            f"{cell.size:,}",
            cell.root.hex()[:_HASH_DIGITS] + "…",
            cell.chain_head.hex()[:_HASH_DIGITS] + "…",
        )
    return shown
