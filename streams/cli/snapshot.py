"""``weir snapshot``: what snapshots there are, whether they hold, and which are to go."""

import time
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.filesize import decimal

from schemas.errors import ConfigError, VerificationError
from state.objects import ObjectStore
from state.snapshots.manifest import SnapshotId
from state.snapshots.reading import list_snapshots, read_manifest
from state.snapshots.retention import prune
from streams.cli.broker import reach_broker
from streams.cli.console import output, print_json, printable, table
from streams.cli.options import AsJson, Bootstrap, audit_topics, flag, read_settings
from streams.kafka.reader import PartitionReader
from streams.settings import Settings
from streams.snapshots import CheckedCell, check_snapshot, named_snapshot, snapshot_store
from streams.trail import TopicLog, TrailLog

EXAMPLES = (
    "weir snapshot list",
    "weir snapshot check 0-81920-64c1f0a2b3c4d --trail",
    "weir snapshot prune --keep 3",
)
_MICROSECOND = 1_000_000


class Kind(StrEnum):
    """What is to be done."""

    LIST = "list"
    CHECK = "check"
    PRUNE = "prune"


def command(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="list them; check one: checksums, chains, and that every id is found in its "
            "table; prune: delete old ones.",
        ),
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="Of check: which; `list` shows the ids.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Where they are; default: the settings."),
    ] = None,
    trail: Annotated[
        bool, flag("--trail", help="Of check: look for its mark in the audit logs of the topics.")
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", metavar="N", min=1, help="Of prune: newest that stay; default: the settings."
        ),
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show, check and prune snapshots.

    Workers take them where snapshots.url is set: each snapshots.every_events events of a shard, and
    when they are sent SIGUSR2. A snapshot holds the whole state of a shard as of one commit; its
    manifest is written last and marked in the audit chain of every cell. Prune keeps the newest
    that the settings ask for, and never deletes the last.

    Exit codes: 0 done, or it holds; 4 what was checked does not hold; 73 an object is damaged.
    """
    settings = read_settings(broker__bootstrap=bootstrap, snapshots__url=url)
    store = snapshot_store(settings)
    if kind is Kind.CHECK:
        if name is None:
            raise ConfigError("name the snapshot to be checked: `weir snapshot list` shows the ids")
        _check(settings, store, name, trail, as_json)
    elif kind is Kind.LIST:
        _list(settings, store, as_json)
    else:
        _prune(settings, store, keep or settings.snapshots.keep, as_json)


def _shards(settings: Settings, store: ObjectStore) -> list[int]:
    folders = {name.split("/")[1] for name in store.names(settings.application_id)}
    return sorted(int(folder.removeprefix("shard-")) for folder in folders)


def _list(settings: Settings, store: ObjectStore, as_json: bool) -> None:
    numbers = ("shard", "offset", "cells", "size")
    shown = table("Snapshots", ("id", *numbers, "taken"), numbers)
    for shard in _shards(settings, store):
        for one in list_snapshots(store, settings.application_id, shard):
            manifest = read_manifest(store, one)
            if as_json:
                print_json(asdict(manifest) | {"digest": one.digest})
                continue
            taken = time.gmtime(manifest.created_us / _MICROSECOND)
            shown.add_row(
                manifest.id,
                f"{shard}",
                f"{manifest.source_offset:,}",
                f"{len(manifest.cells)}",
                decimal(sum(part.bytes for part in manifest.parts)),
                time.strftime("%Y-%m-%d %H:%M:%SZ", taken),
            )
    if not as_json:
        output().print(shown)


def _check(settings: Settings, store: ObjectStore, name: str, trail: bool, as_json: bool) -> None:
    parsed = SnapshotId.parse(name)
    if parsed is None:
        raise ConfigError(f"{name!r} is no id of a snapshot: `weir snapshot list` shows them")
    snapshot = named_snapshot(store, settings.application_id, parsed.shard, name)
    logs: dict[str, TrailLog] | None = None
    reader = None
    if trail:
        settings = reach_broker(settings)
        reader = PartitionReader(settings.broker)
        topics = audit_topics(settings)
        logs = {
            cell.tenant: TopicLog(topics, cell.tenant, parsed.shard, reader)
            for cell in read_manifest(store, snapshot).cells
        }
    checked = check_snapshot(settings, store, snapshot, logs)
    if reader is not None:
        reader.close()
    for cell in checked:
        _say(cell, as_json)
    wrong = [cell.tenant for cell in checked if not cell.holds]
    if wrong:
        raise VerificationError(f"snapshot {name} does not hold for {', '.join(wrong)}")


def _say(cell: CheckedCell, as_json: bool) -> None:
    if as_json:
        plain = {"tenant": cell.tenant, "records": cell.records, "marked": cell.marked}
        checked = cell.membership._asdict() if cell.membership is not None else {"erased": True}
        print_json(plain | checked | {"holds": cell.holds})
        return
    marks = {None: "", True: ", marked in the audit log", False: ", NOT marked in the audit log"}
    ids = cell.membership
    found = (
        "erased, its keys were destroyed"
        if ids is None
        else f"{ids.base + ids.delta:,} ids, {ids.base_misplaced + ids.delta_misplaced:,} misplaced"
    )
    text = f"{cell.tenant}: {found}{marks[cell.marked]}"
    style = "green" if cell.holds else "red"
    output().print(printable(text), style=style, markup=False, soft_wrap=True)


def _prune(settings: Settings, store: ObjectStore, keep: int, as_json: bool) -> None:
    for shard in _shards(settings, store):
        pruned = prune(
            store,
            settings.application_id,
            shard,
            keep=keep,
            keep_days=settings.snapshots.keep_days,
            now_us=int(time.time() * _MICROSECOND),
        )
        for name in (*pruned.snapshots, *pruned.leftovers):
            if as_json:
                print_json({"deleted": name})
            else:
                output().print(f"deleted {name}")
