"""``weir map``: would a mapping file do for this topic or file."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from schemas.confluent import SchemaRegistry
from schemas.errors import ConfigError, TopologyError
from schemas.mapping import CheckReport, Mapper, Origin, Sample, check, load_mapping
from schemas.sources import Format, read_rows, row_samples
from streams.cli import exit_codes
from streams.cli.broker import reach_broker
from streams.cli.console import output, print_json, printable, table
from streams.cli.options import AsJson, Bootstrap, read_settings
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import admin, partition_counts
from streams.settings import Settings

EXAMPLES = (
    "weir map --check clicks.yaml --topic clicks",
    "weir map --check clicks.yaml --samples clicks.jsonl --limit 10000",
)


def command(
    mapping: Annotated[
        Path, typer.Option("--check", metavar="MAPPING", help="The mapping file to try.")
    ],
    samples: Annotated[
        Path | None, typer.Option("--samples", metavar="FILE", help="Try it on rows of a file.")
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option("--topic", metavar="TOPIC", help="Try it on the latest messages of a topic."),
    ] = None,
    file_format: Annotated[
        Format | None,
        typer.Option("--format", metavar="FORMAT", help="Of the file; default: its name says."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Try so many samples.")
    ] = 1_000,
    preview: Annotated[
        int, typer.Option("--preview", metavar="N", min=0, help="Show so many events.")
    ] = 1,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Check a mapping file against samples of a topic or file.

    Tells for each part of the mapping how often its fields are there and what fails, and which
    fields nothing uses; docs/mapping.md explains mapping files. The preview shows data as it is:
    --preview 0 leaves it out.

    The exit code is 0 if every sample gives an event, and 1 if not.
    """
    if (samples is None) == (topic is None):
        raise ConfigError("give either --samples FILE or --topic TOPIC")
    settings = read_settings(broker__bootstrap=bootstrap)
    url = settings.registry.url
    mapper = Mapper(load_mapping(mapping), SchemaRegistry(url).fetch if url else None)
    if samples is not None:
        with read_rows(samples, file_format) as rows:
            report = check(mapper, islice(row_samples(rows), limit), preview)
    else:
        assert topic is not None
        report = check(mapper, _latest(reach_broker(settings), topic, limit), preview)
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report)
    raise typer.Exit(0 if report.ok else exit_codes.INCOMPLETE_INPUT)


def _latest(settings: Settings, topic: str, limit: int) -> Iterator[Sample]:
    """Yield the latest messages of a topic, as many of each partition as of the others."""
    address = settings.broker.bootstrap
    partitions = partition_counts(admin(settings.broker), address).get(topic)
    if partitions is None:
        raise TopologyError(f"topic {topic} is not on {address}: check its name and the address")
    each = -(-limit // partitions)
    reader = PartitionReader(settings.broker)
    for partition in range(partitions):
        start, end = reader.bounds(topic, partition)
        for batch in reader.read(topic, partition, max(start, end - each), end):
            for record in batch:
                origin = Origin.kafka(topic, partition, record.offset, record.timestamp, record.key)
                yield Sample(origin, record.value)
    reader.close()


def _print(report: CheckReport) -> None:
    out = output()
    style = "bold green" if report.ok else "bold red"
    out.print(f"[{style}]{report.mapped:,} of {report.samples:,} samples give an event[/{style}]")
    out.print(_parts(report))
    for part in report.parts:
        for failure in part.failures:
            where = f"{part.place}: {failure.count:,} samples: {failure.reason}: {failure.detail}"
            text = f"{where} (first at {', '.join(failure.positions[:3])})"
            out.print(printable(text), style="red", markup=False, soft_wrap=True)
    if report.mapped:
        out.print(_events(report))
    if report.unused:
        shown = ", ".join(f"{name} ({share:.0%})" for name, share in report.unused.items())
        out.print(printable(f"not used: {shown}"), style="dim", markup=False, soft_wrap=True)
    for warning in report.warnings:
        out.print(printable(warning), style="yellow", markup=False, soft_wrap=True)
    for event in report.preview:
        out.print_json(data=event)


def _parts(report: CheckReport) -> Table:
    numbers = ("present", "members", "failed")
    shown = table("Mapping", ("part", "field", "present", "types", "members", "failed"), numbers)
    for part in report.parts:
        failed = f"[red]{part.failed:,}[/red]" if part.failed else "0"
        place = escape(printable(part.place))
        if not part.fields:
            shown.add_row(place, "", "", "", "", failed)
        for number, field in enumerate(part.fields):
            types = ", ".join(f"{name} {count:,}" for name, count in field.types.items())
            shown.add_row(
                "" if number else place,
                escape(printable(field.path)),
                f"{field.share:.0%}",
                types,
                f"{field.members:,}",
                "" if number else failed,
            )
    return shown


def _events(report: CheckReport) -> Table:
    shown = table("Events", ("", "found"))
    label = report.label
    counts = label.counts or {}
    rows = {
        "tenants": f"{report.tenants:,}",
        "ids": f"{report.ids:,}",
        "named twice": f"{report.duplicates:,}",
        "time": f"{report.first_time} to {report.last_time}",
        "labelled": f"{label.labelled:,} of {label.labelled + label.unlabelled:,}",
        "labels": ", ".join(f"{name}: {count:,}" for name, count in counts.items()),
    }
    if label.spread is not None and not counts:
        spread = label.spread
        rows["labels"] = f"{spread.least:g} to {spread.most:g}, mean {spread.mean:g}"
    if report.features is not None:
        spread = report.features
        rows["features"] = f"{spread.least:g} to {spread.most:g}, mean {spread.mean:.1f}"
    for name, text in rows.items():
        if text:
            shown.add_row(name, escape(printable(text)))
    return shown
