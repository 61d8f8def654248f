"""``weir rewind``: the group really goes back."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape

from schemas.errors import ConfigError
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json, table
from streams.cli.options import AsJson, Bootstrap, flag, read_settings
from streams.cli.progress import WorkProgress
from streams.cli.replay import chosen_shards
from streams.kafka.offsets import committed_offsets
from streams.kafka.reader import PartitionReader
from streams.replay.points import Point, parse_time_ms, start_of
from streams.replay.rewind import Plan, check_idle, check_plan, rewind_shard
from streams.settings import Settings
from streams.warmup import warm_up

EXAMPLES = (
    "weir rewind --by-duration 2h --dry-run",
    "weir rewind --to-datetime 2026-01-31T12:00:00",
    "weir rewind --to-snapshot latest --shards 0 --yes",
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def command(
    to_datetime: Annotated[
        str | None,
        typer.Option(
            "--to-datetime", metavar="TIME", help="Back to a time of the log: ISO 8601, UTC."
        ),
    ] = None,
    by_duration: Annotated[
        str | None,
        typer.Option("--by-duration", metavar="D", help="Back by 90s, 30m, 2h or 1d of the log."),
    ] = None,
    shift_by: Annotated[
        int | None,
        typer.Option("--shift-by", metavar="N", max=-1, help="Back by so many offsets: -1000."),
    ] = None,
    to_snapshot: Annotated[
        str | None,
        typer.Option("--to-snapshot", metavar="ID", help="Back to a snapshot; or: latest."),
    ] = None,
    shards: Annotated[
        str | None, typer.Option("--shards", metavar="N,N", help="These only; default: all.")
    ] = None,
    dry_run: Annotated[bool, flag("--dry-run", help="Say what would happen, and stop.")] = False,
    yes: Annotated[bool, flag("--yes", help="Do not ask.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Set the group back: state, offsets, and a new epoch in the audit chains.

    The workers must be stopped. For each shard the state as it was at the earlier offset is derived
    from the newest snapshot at or before it, or from the start of the log, and written in one
    transaction with the group's offset and a mark in the audit chain of every cell, which names the
    old head. Nothing is truncated: when the workers start again they publish what the log gives
    behind what they published before.

    Exit codes: 0 done; 78 the group has members, or there is no such point.
    """
    given = [one for one in (to_datetime, by_duration, shift_by, to_snapshot) if one is not None]
    if len(given) != 1:
        raise ConfigError(
            "say how far: one of --to-datetime, --by-duration, --shift-by and --to-snapshot"
        )
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap))
    check_idle(settings)
    reader = PartitionReader(settings.broker)
    topic = settings.topics.name("events")
    chosen = chosen_shards(settings, shards)
    committed = committed_offsets(settings.broker, settings.application_id, topic, chosen)
    plans = []
    for shard in chosen:
        point = _point(committed[shard], to_datetime, by_duration, shift_by, to_snapshot)
        low, _ = reader.bounds(topic, shard)
        plan = Plan(
            shard, committed[shard], start_of(settings, shard, point, low, committed[shard])
        )
        check_plan(plan)
        plans.append(plan)
    _show(settings, plans, as_json)
    if dry_run:
        return
    if not yes and not typer.confirm("Set the group back?", err=True):
        raise typer.Exit(1)
    check_idle(settings)
    warm_up(settings.learner)
    with WorkProgress(messages(), "Setting back", "events") as bar:
        total = sum(plan.target - plan.start.state_offset for plan in plans)
        done = 0

        def show(count: int) -> None:
            nonlocal done
            done += count
            bar.show(done, done, total)

        for plan in plans:
            rewind_shard(settings, plan, reader, show)
            messages().print(f"shard {plan.shard} stands at offset {plan.target}", markup=False)
    reader.close()


def _point(
    committed: int,
    to_datetime: str | None,
    by_duration: str | None,
    shift_by: int | None,
    to_snapshot: str | None,
) -> Point:
    if to_snapshot is not None:
        return Point(snapshot=to_snapshot)
    if shift_by is not None:
        return Point(offset=max(0, committed + shift_by))
    if to_datetime is not None:
        return Point(time_ms=parse_time_ms(to_datetime))
    assert by_duration is not None
    number, unit = by_duration[:-1], by_duration[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise ConfigError(f"--by-duration {by_duration}: such as 90s, 30m, 2h or 1d")
    back = timedelta(**{_UNITS[unit]: int(number)})
    return Point(time_ms=int((datetime.now(UTC) - back).timestamp() * 1000))


def _show(settings: Settings, plans: list[Plan], as_json: bool) -> None:
    numbers = ("shard", "stands at", "goes back to", "events again", "silently before")
    shown = table(f"Group {escape(settings.application_id)}", (*numbers, "state from"), numbers)
    for plan in plans:
        snapshot = plan.start.snapshot
        if as_json:
            print_json(
                {
                    "shard": plan.shard,
                    "committed": plan.committed,
                    "target": plan.target,
                    "snapshot": None if snapshot is None else str(snapshot.id),
                }
            )
            continue
        shown.add_row(
            f"{plan.shard}",
            f"{plan.committed:,}",
            f"{plan.target:,}",
            f"{plan.committed - plan.target:,}",
            f"{plan.target - plan.start.state_offset:,}",
            "the start of the log" if snapshot is None else f"snapshot {snapshot.id}",
        )
    if not as_json:
        output().print(shown)
