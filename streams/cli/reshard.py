"""``weir reshard``: another number of shards."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from schemas.errors import ConfigError, TopologyError, VerificationError
from state.audit.note import Note
from state.audit.report import Outcome, VerifyReport
from streams.cli import exit_codes
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json, table
from streams.cli.keys import own_verifiers
from streams.cli.options import AsJson, Bootstrap, flag, read_settings
from streams.cli.progress import WorkProgress
from streams.cli.replay import verify_shard
from streams.cli.verify import Trust, policy_of, verify_topics
from streams.kafka.reader import PartitionReader
from streams.replay.points import Start
from streams.reshard import cut_over as document
from streams.reshard.check import Checked, CopyCheck, load_checked
from streams.reshard.copy import Copier, Standing, at_start, standing
from streams.reshard.plan import Resharding, make_topics, plan, settle_topics, topics_of
from streams.reshard.processed import (
    PATIENCE_S,
    Work,
    check_outputs,
    check_quiet,
    count_outputs,
    events_of,
    labels_of,
    left_over,
    wait_processed,
)
from streams.settings import Settings
from streams.warmup import warm_up

EXAMPLES = (
    "weir reshard --application weir-16 --shards 16 --dry-run",
    "weir reshard --application weir-16 --shards 16 --follow",
    "weir reshard --application weir-16 --shards 16 --cut-over",
)
QUIET_S = 5.0
"""For so long the old log must not grow before it counts as ended."""

_ENDS_PERIOD_S = 1.0
_POLL_S = 0.2


def command(
    application: Annotated[
        str, typer.Option("--application", metavar="NAME", help="Of the new application.")
    ],
    shards: Annotated[
        int, typer.Option("--shards", metavar="N", min=1, help="How many it is to have.")
    ],
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix", metavar="PREFIX", help="Of its topics; default: its name and a dot."
        ),
    ] = None,
    follow: Annotated[
        bool, flag("--follow", help="Go on copying what comes, until interrupted.")
    ] = False,
    cut_over: Annotated[
        bool, flag("--cut-over", help="Copy the rest, verify all, and write the cut-over down.")
    ] = False,
    verify_replay: Annotated[
        bool,
        flag("--verify-replay", help="Of --cut-over: derive all outputs anew and compare them."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Of the cut-over; default: reshard/NAME.json in the data folder.",
            dir_okay=False,
        ),
    ] = None,
    dry_run: Annotated[bool, flag("--dry-run", help="Say what would happen, and stop.")] = False,
    yes: Annotated[bool, flag("--yes", help="Do not ask.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Copy the log into a new application with another number of shards, and cut over.

    Makes the topics of the new application and copies the events into them: each once, those of an
    id in their order, with their times and headers. It can be stopped or killed at any moment and
    goes on when it is called again. Then it compares both logs. Meanwhile the old application goes
    on, and workers of the new one learn the history from the copy.

    With --cut-over, once the producers have stopped: copies the rest, waits until both applications
    have processed what they have, verifies logs, outputs and the new audit trail, and writes down
    the offsets at which producers and consumers go on. It refuses while the old log still grows.
    docs/resharding.md tells the whole of it.

    Exit codes: 0 done; 4 something differs; 78 the old log still grows, or events are unprocessed.
    """
    if follow and cut_over:
        raise ConfigError("--follow goes on for ever, and --cut-over ends it: give one of them")
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap))
    about = plan(settings, application, f"{application}." if prefix is None else prefix, shards)
    folder = settings.data_dir / "reshard"
    path = out or folder / f"{application}.json"
    reader = PartitionReader(settings.broker, headers=True)
    done = document.read(path)
    if done is not None:
        _already(about, reader, done, path, as_json)
        return
    _show(about, reader, as_json)
    if dry_run:
        return
    if not yes and not typer.confirm("Copy?", err=True):
        raise typer.Exit(1)
    make_topics(about)
    copier = Copier(about, reader)
    clock = _Clock()
    try:
        _copy(copier, follow=follow)
    except KeyboardInterrupt:
        messages().print("interrupted; call it again to go on")
        raise typer.Exit(exit_codes.INTERRUPTED) from None
    clock.lap("copying")
    if cut_over:
        _await_end(about, copier, reader)
        clock.lap("waiting")
    checked = _compare(about, copier, reader, folder / f"{application}.compared.json")
    clock.lap("comparing")
    _report_copy(about, copier, checked, clock.seconds, as_json)
    if not cut_over:
        _say_next(about)
    else:
        written = _cut_over(about, copier, checked, reader, path, verify_replay, as_json)
        _report_cut_over(about, written, path, as_json)
    copier.close()
    reader.close()


# -- phases ---------------------------------------------------------------------------------------


def _copy(copier: Copier, *, follow: bool) -> None:
    """Copy what there is, or with ``follow`` what comes, until interrupted."""
    first = sum(copier.positions.values())
    looked, total = 0.0, first
    with WorkProgress(messages(), "Copying", "records") as bar:
        while True:
            copied = copier.step()
            now = time.monotonic()
            if now - looked >= _ENDS_PERIOD_S:
                looked, total = now, sum(copier.ends().values())
            reached = sum(copier.positions.values())
            bar.show(reached - first, reached - first, total - first)
            if not copied:
                if not follow:
                    return
                time.sleep(_POLL_S)


def _await_end(about: Resharding, copier: Copier, reader: PartitionReader) -> None:
    """See that the old log has ended, and wait until all of it has been processed, twice.

    Raises:
        TopologyError: it still grows, or somebody processes nothing.
    """
    works = [events_of(about.old), events_of(about.new)]
    if (labels := labels_of(about.old)) is not None:
        _await(labels, about.old_shards, reader)
    _copy(copier, follow=False)
    messages().print(f"looking for {QUIET_S:.0f} s whether {about.old_log} still grows")
    time.sleep(QUIET_S)
    check_quiet(works[0], reader, copier.positions)
    for work, partitions in zip(works, (about.old_shards, about.new_shards), strict=True):
        _await(work, partitions, reader)


def _await(work: Work, partitions: int, reader: PartitionReader) -> None:
    with WorkProgress(messages(), f"Waiting for {work.group}", "records") as bar:
        wait_processed(work, reader, partitions, _countdown(bar), PATIENCE_S)


def _compare(about: Resharding, copier: Copier, reader: PartitionReader, file: Path) -> Checked:
    """Compare the logs from where they were compared last, and remember how far."""
    starts = {p: start.start for p, start in copier.starts.items()}
    checked = load_checked(file, about, starts, reader)
    left = sum(copier.positions.values()) - sum(checked.old.values())
    with WorkProgress(messages(), "Comparing", "records") as bar:
        check = CopyCheck(about, reader, copier.selection, checked)
        check.run(copier.positions, _counter(bar, 2 * left))
    checked.save(file)
    return checked


def _cut_over(
    about: Resharding,
    copier: Copier,
    checked: Checked,
    reader: PartitionReader,
    path: Path,
    verify_replay: bool,
    as_json: bool,
) -> dict[str, Any]:
    """Verify what came of the copy, see that nothing has come meanwhile, and write it down."""
    outputs = {}
    with WorkProgress(messages(), "Counting outputs", "records") as bar:
        count = _counter(bar, 2 * sum(checked.copies.values()))
        for shard in checked.copies:
            outputs[shard] = count_outputs(about.new, reader, shard, count)
    check_outputs(outputs, checked.copies)
    trail = _verify_trail(about.new)
    if verify_replay:
        _replay(about, reader, checked.new, as_json)
    check_quiet(events_of(about.old), reader, copier.positions)
    if (labels := labels_of(about.old)) is not None:
        ends = reader.stable_end(labels.topic, list(range(about.old_shards)))
        if left := left_over(labels, reader, ends):
            raise TopologyError(f"{labels.topic} still grows ({left}): stop who writes to it")
    if reader.stable_end(about.new_log, list(checked.new)) != checked.new:
        raise TopologyError(f"{about.new_log} grew while it was verified: stop who writes to it")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    said = document.describe(about, copier.starts, checked, outputs, trail, reader, now)
    written = document.write(path, about, said)
    settle_topics(about)
    return written


def _verify_trail(settings: Settings) -> list[VerifyReport]:
    trust = Trust(own_verifiers(settings), policy_of(settings, None, own=True), {})
    with WorkProgress(messages(), "Verifying the audit trail", "records") as bar:
        reports = list(verify_topics(settings, trust, None, None, bar))
    for report in reports:
        if report.outcome in (Outcome.TAMPERED, Outcome.INCOMPLETE):
            told = "; ".join(str(failure) for failure in report.failures[:3])
            raise VerificationError(
                f"{report.origin}: {report.outcome}, {told or 'its end is not signed'}; "
                f"`weir verify` with application_id = {settings.application_id} says more"
            )
    return reports


def _replay(
    about: Resharding, reader: PartitionReader, ends: dict[int, int], as_json: bool
) -> None:
    warm_up(about.new.learner)
    with WorkProgress(messages(), "Replaying", "events") as bar:
        show = _counter(bar, sum(ends.values()))
        codes = {
            verify_shard(about.new, shard, reader, Start(None, 0, 0), end, show, as_json)
            for shard, end in ends.items()
        }
    if exit_codes.TAMPERED in codes:
        raise typer.Exit(exit_codes.TAMPERED)


def _already(
    about: Resharding,
    reader: PartitionReader,
    said: dict[str, Any],
    path: Path,
    as_json: bool,
) -> None:
    """Say what a cut-over that was written says, and whether the old log has grown since."""
    keys = [key for one in (about.old, about.new) for key in own_verifiers(one)]
    Note.parse(said["note"]).verify(keys)
    settle_topics(about)
    ends = {one["partition"]: one["end"] for one in said["from"]["partitions"]}
    messages().print(f"{about.new.application_id} was cut over to at {said['at']}", markup=False)
    _report_cut_over(about, said, path, as_json)
    check_quiet(events_of(about.old), reader, ends)


# -- what is shown --------------------------------------------------------------------------------


def _show(about: Resharding, reader: PartitionReader, as_json: bool) -> None:
    found = standing(about)
    at: Standing = found or at_start(about, reader)
    ends = reader.stable_end(about.old_log, list(range(about.old_shards)))
    numbers = ("partition", "begins at", "copied to", "ends at")
    title = f"{about.old_log} ({about.old_shards}) to {about.new_log} ({about.new_shards})"
    shown = table(escape(title), numbers, numbers)
    for partition, end in ends.items():
        start, position = at.starts[partition].start, at.positions[partition]
        if as_json:
            row = {"partition": partition, "start": start, "position": position, "end": end}
            print_json({"phase": "plan", **row})
        shown.add_row(f"{partition}", f"{start:,}", f"{position:,}", f"{end:,}")
        if start:
            text = (
                f"{about.old_log}[{partition}] begins at offset {start:,}: what was before it has "
                "been deleted, and the new application does not learn it"
            )
            messages().print(text, style="yellow", markup=False, soft_wrap=True)
    if as_json:
        return
    out = output()
    out.print(shown)
    if found is None:
        out.print(f"makes {', '.join(topics_of(about))}", markup=False, soft_wrap=True)


def _report_copy(
    about: Resharding,
    copier: Copier,
    checked: Checked,
    seconds: dict[str, float],
    as_json: bool,
) -> None:
    say = messages()
    notes = {
        "deleted from the old log before they were compared": checked.gone,
        "without a key: they stay together with those of their partition": checked.keyless,
        f"not where murmur2 of their key puts them in {about.old_log}: let producers of the new "
        "log partition by murmur2, or an id meets two shards": checked.elsewhere,
        "left out: they were sent again from quarantine, and the log has them twice": (
            checked.left_out
        ),
    }
    for text, count in notes.items():
        if count:
            say.print(f"{count:,} records {text}", style="yellow", markup=False, soft_wrap=True)
    if as_json:
        counts = {
            name: getattr(checked, name)
            for name in ("records", "left_out", "gone", "keyless", "elsewhere")
        }
        phase = {"phase": "copied", "positions": copier.positions, "seconds": seconds}
        print_json(phase | counts)
        return
    text = f"{checked.records:,} records of {about.old_log} are in {about.new_log}, all equal"
    output().print(text, style="green", markup=False, soft_wrap=True)


def _say_next(about: Resharding) -> None:
    name, prefix = about.new.application_id, about.new.topics.prefix
    topic = about.new.labels.topic
    labels = "" if topic is None else f", labels.topic = {topic!r}"
    messages().print(
        f"start workers with application_id = {name!r}, topics.prefix = {prefix!r}{labels}, "
        "otherwise with these settings; then stop the producers, and call this with --cut-over",
        markup=False,
        soft_wrap=True,
    )


def _report_cut_over(about: Resharding, said: dict[str, Any], path: Path, as_json: bool) -> None:
    if as_json:
        print_json({"phase": "cut-over", "file": str(path), **said})
        return
    out = output()
    for line in document.consumer_lines(said):
        out.print(line, markup=False, soft_wrap=True)
    topics = " and ".join(filter(None, (about.new_log, about.new.labels.topic)))
    out.print(f"producers go on with {topics}", style="green", markup=False)
    out.print(f"written to {path}", markup=False, soft_wrap=True)


class _Clock:
    """Says how long each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, part: str) -> None:
        now = time.monotonic()
        self.seconds[part] = round(now - self._since, 3)
        self._since = now


def _counter(bar: WorkProgress, total: int) -> Callable[[int], None]:
    done = 0

    def show(count: int) -> None:
        nonlocal done
        done += count
        bar.show(done, done, total)

    return show


def _countdown(bar: WorkProgress) -> Callable[[int], None]:
    most = 0

    def show(left: int) -> None:
        nonlocal most
        most = max(most, left)
        bar.show(most - left, most - left, most)

    return show
