"""``weir replay``: the log again, to compare it with what was published, or into other topics."""

from collections.abc import Callable
from typing import Annotated

import typer

from schemas.errors import ConfigError, TopologyError
from streams.cli import exit_codes
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json, printable
from streams.cli.options import AsJson, Bootstrap, flag, read_settings
from streams.cli.progress import WorkProgress
from streams.kafka.offsets import committed_offsets
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import admin, partition_counts
from streams.replay.points import BEGINNING, Point, Start, offset_at, parse_point, start_of
from streams.replay.shadow import ShadowSink, make_shadow_topics, shadow_application
from streams.replay.shard import Replayed, ShardReplay
from streams.replay.verify import VerifySink, read_marks
from streams.settings import Settings
from streams.warmup import warm_up

EXAMPLES = (
    "weir replay --verify",
    "weir replay --from snapshot:latest --verify --json",
    "weir replay --from 2026-01-31T12:00:00 --to 90000 --shards 0,2 --into what-if.",
)


def command(
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="POINT",
            help="beginning, an offset, a time in ISO 8601 (UTC), snapshot:ID or snapshot:latest.",
        ),
    ] = BEGINNING,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="POINT", help="An offset or a time; default: what is committed."
        ),
    ] = None,
    shards: Annotated[
        str | None, typer.Option("--shards", metavar="N,N", help="These only; default: all.")
    ] = None,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="PREFIX", help="Write to topics with this prefix."),
    ] = None,
    verify: Annotated[
        bool, flag("--verify", help="Compare with what was published, and write nothing.")
    ] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Step the log again, with the same bytes.

    Begins with the newest snapshot at or before the point, or with empty state, and steps silently
    from there to the point. --verify derives every prediction, audit record and root anew, compares
    them with what was published, and prints the first difference with its offset. --into writes
    predictions, audit and quarantine to topics of their own, signed under another name. The group,
    its state and its topics are left alone.

    Exit codes: 0 replayed, all equal; 4 something differs; 5 there was nothing to compare.
    """
    if verify == (into is not None):
        raise ConfigError("say what for: --verify, or --into PREFIX")
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap))
    point, last = parse_point(begin), None if to is None else parse_point(to)
    if last is not None and (last.beginning or last.snapshot is not None):
        raise ConfigError(f"--to {to}: an offset or a time")
    chosen = chosen_shards(settings, shards)
    reader = PartitionReader(settings.broker)
    if into is not None:
        make_shadow_topics(settings, into, reader, chosen)
    warm_up(settings.learner)
    committed = committed_offsets(
        settings.broker, settings.application_id, _topic(settings), chosen
    )
    plans = {}
    for shard in chosen:
        low, end = reader.bounds(_topic(settings), shard)
        known = min(end, committed[shard]) if verify and last is None else end
        stop = _stop(settings, shard, last, known)
        plans[shard] = (start_of(settings, shard, point, low, stop), stop)
    codes = set()
    with WorkProgress(messages(), "Replaying", "events") as bar:
        total = sum(stop - start.state_offset for start, stop in plans.values())
        done = 0

        def show(count: int) -> None:
            nonlocal done
            done += count
            bar.show(done, done, total)

        for shard, (start, stop) in plans.items():
            if verify:
                codes.add(verify_shard(settings, shard, reader, start, stop, show, as_json))
            else:
                assert into is not None
                _written(settings, shard, reader, start, stop, show, into, as_json)
    reader.close()
    if exit_codes.TAMPERED in codes:
        raise typer.Exit(exit_codes.TAMPERED)
    if codes == {exit_codes.INCOMPLETE}:
        raise typer.Exit(exit_codes.INCOMPLETE)


def _topic(settings: Settings) -> str:
    return settings.topics.name("events")


def chosen_shards(settings: Settings, text: str | None) -> list[int]:
    """Return the shards that an option names; all where it names none.

    Raises:
        ConfigError: it names none that there is.
        TopologyError: the source is not there.
    """
    counts = partition_counts(admin(settings.broker), settings.broker.bootstrap)
    if _topic(settings) not in counts:
        raise TopologyError(f"topic {_topic(settings)} is not on {settings.broker.bootstrap}")
    there = range(counts[_topic(settings)])
    if text is None:
        return list(there)
    try:
        chosen = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise ConfigError(f"--shards {text}: numbers with commas between them") from error
    if strangers := [shard for shard in chosen if shard not in there]:
        raise ConfigError(f"--shards {text}: there is no {strangers[0]}; 0 to {len(there) - 1} are")
    return chosen


def _stop(settings: Settings, shard: int, last: Point | None, end: int) -> int:
    if last is None:
        return end
    if last.offset is not None:
        return min(last.offset, end)
    assert last.time_ms is not None
    at = offset_at(settings.broker, _topic(settings), shard, last.time_ms)
    return end if at is None else min(at, end)


def verify_shard(
    settings: Settings,
    shard: int,
    reader: PartitionReader,
    start: Start,
    stop: int,
    show: Callable[[int], None],
    as_json: bool,
) -> int:
    """Replay one shard, compare it with what was published, and print what was found.

    Args:
        settings: of the application.
        shard: partition number.
        reader: reads the source and the changelog.
        start: where to begin.
        stop: source offset to stop before.
        show: told how many events were stepped.
        as_json: how to print.

    Returns:
        The exit code that follows.
    """
    readers = PartitionReader(settings.broker), PartitionReader(settings.broker)
    sink = VerifySink(settings, shard, *readers)
    replay = ShardReplay(settings, shard, reader, start, stop, show)
    replayed = replay.run(sink, read_marks(settings, shard, readers[1]), follow=True)
    sink.close()
    for one in readers:
        one.close()
    plain = _plain(shard, start, stop, replayed) | {
        "predictions": sink.predictions,
        "audit_records": sink.records,
        "equal": sink.difference is None,
        "difference": None if sink.difference is None else str(sink.difference),
        "roots": [roots._asdict() for roots in sink.roots],
    }
    if as_json:
        print_json(plain)
    elif sink.difference is not None:
        text = f"shard {shard}: {sink.difference}"
        output().print(printable(text), style="red", markup=False, soft_wrap=True)
    else:
        text = (
            f"shard {shard}: {sink.predictions:,} predictions and {sink.records:,} audit records "
            f"are equal, from offset {start.emit_offset:,} to {stop:,}"
        )
        output().print(text, style="green", markup=False, soft_wrap=True)
    if sink.difference is not None:
        return exit_codes.TAMPERED
    return 0 if sink.predictions or sink.records else exit_codes.INCOMPLETE


def _written(
    settings: Settings,
    shard: int,
    reader: PartitionReader,
    start: Start,
    stop: int,
    show: Callable[[int], None],
    prefix: str,
    as_json: bool,
) -> None:
    name = shadow_application(settings, prefix)
    replay = ShardReplay(settings, shard, reader, start, stop, show, name)
    marks = read_marks(settings, shard, reader)
    # Records of a log that was set back stand elsewhere than in one that was not.
    replayed = replay.run(ShadowSink(settings, prefix, shard), None if marks.epochs else marks)
    if as_json:
        print_json(_plain(shard, start, stop, replayed) | {"into": prefix})
    else:
        text = (
            f"shard {shard}: {replayed.steps:,} steps to {prefix}*, from offset "
            f"{start.emit_offset:,} to {stop:,}"
        )
        output().print(text, markup=False, soft_wrap=True)


def _plain(shard: int, start: Start, stop: int, replayed: Replayed) -> dict[str, object]:
    return {
        "shard": shard,
        "snapshot": None if start.snapshot is None else str(start.snapshot.id),
        "from": start.emit_offset,
        "to": stop,
        "silent": replayed.silent,
        "events": replayed.records,
        "steps": replayed.steps,
    }
