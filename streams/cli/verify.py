"""``weir verify``: does the audit trail hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import quote

import typer
from rich.markup import escape

from schemas.errors import ConfigError, TopologyError
from state.audit.checkpoint import CheckpointNote
from state.audit.note import Verifier
from state.audit.report import Locator, Outcome, VerifyReport
from state.audit.rj_policy import POLICIES, RjPolicy
from streams.audit_reader import AuditTopics, ShardAudit
from streams.cli import exit_codes
from streams.cli.audit_files import find_logs
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json, printable, table
from streams.cli.keys import own_verifiers
from streams.cli.options import AsJson, Bootstrap, Trail, audit_topics, read_settings
from streams.cli.progress import WorkProgress
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import admin, partition_counts
from streams.settings import Settings

EXAMPLES = (
    "weir verify",
    "weir verify --tenant acme --shard 3 --json",
    "weir verify out/audit out/audit-checkpoints --key weir+8a4f02c1+AW9iXk…",
)

_EXIT_CODES = {
    Outcome.TAMPERED: exit_codes.TAMPERED,
    Outcome.INCOMPLETE: exit_codes.INCOMPLETE,
    Outcome.ALARM: exit_codes.ALARM,
    Outcome.OK: 0,
}
_STYLES = {
    Outcome.TAMPERED: "bold red",
    Outcome.INCOMPLETE: "bold yellow",
    Outcome.ALARM: "bold magenta",
    Outcome.OK: "bold green",
}
_SHOWN = 20
_HASH_DIGITS = 16


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILES",
            help="Exported logs, folders or s3:// URLs of them; none: the topics.",
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="Public key that may sign, as `weir audit-key` prints it; may be repeated. "
            "Default: the keys of the secrets that are here.",
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="Of the topics: this one only.")
    ] = None,
    shard: Annotated[
        int | None, typer.Option("--shard", metavar="N", help="Of the topics: this one only.")
    ] = None,
    kept: Annotated[
        list[Path] | None,
        typer.Option(
            "--kept",
            metavar="FILE",
            help="A signed checkpoint that you or a witness kept: the log must still hold it; may "
            "be repeated.",
        ),
    ] = None,
    rj_policy: Annotated[
        str | None,
        typer.Option(
            "--rj-policy",
            metavar="C_YELLOW,C_RED,DELTA,EPSILON",
            help="Constants of the half-split policy, to recompute its levels. Default: those of "
            "the settings where the own keys are used, else not recomputed.",
        ),
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Verify the audit trail, from the topics or from files.

    Reads every record once and checks its hash, the chain, the conditions on its contents, and that
    every signed checkpoint has the tree root and chain head of the records; of the topics, also
    that each shard's root is that of all its cells. On the topics it looks at the trails of
    events, of messages and of tokens. One that grows meanwhile is verified up to where it stood at
    the start.

    Exit codes: 0 all holds; 3 all holds, and at some step a margin was below zero; 4 something was
    tampered with; 5 all that is there holds, but its end is not signed, or nothing is there.
    """
    settings = read_settings(broker__bootstrap=bootstrap)
    keys = [Verifier.from_string(text) for text in key] if key else own_verifiers(settings)
    if files and (tenant is not None or shard is not None):
        raise ConfigError("--tenant and --shard choose from the topics: name the files instead")
    trust = Trust(keys, policy_of(settings, rj_policy, own=not key), _kept(kept or []))
    with WorkProgress(messages(), "Verifying", "records") as bar:
        if files:
            reports = list(_of_files(files, trust, bar))
        else:
            reports = list(verify_topics(reach_broker(settings), trust, tenant, shard, bar))
    for report in reports:
        if as_json:
            print_json(_plain(report))
    if not as_json:
        _print(reports)
    outcomes = {report.outcome for report in reports} or {Outcome.INCOMPLETE}
    raise typer.Exit(next(code for outcome, code in _EXIT_CODES.items() if outcome in outcomes))


class Trust(NamedTuple):
    """What the trail is held to."""

    keys: list[Verifier]
    policy: RjPolicy | None
    kept: dict[str, list[tuple[Locator, CheckpointNote]]]

    def kept_of(self, trail: AuditTopics) -> dict[str, list[tuple[Locator, CheckpointNote]]]:
        """Return what was kept of the logs of one trail."""
        return {o: of for o, of in self.kept.items() if o.startswith(origin_prefix(trail))}


def policy_of(settings: Settings, text: str | None, *, own: bool) -> RjPolicy | None:
    """Constants of the half-split policy.

    Args:
        settings: where they are configured.
        text: what was given on the command line, if anything.
        own: whether the trail is this installation's own.

    Raises:
        ConfigError: the text is not what is due.
    """
    if text is not None:
        *numbers, last = text.split(",")
        kind = [last] if last in POLICIES else []
        try:
            yellow, red, delta, epsilon = map(float, numbers if kind else [*numbers, last])
        except ValueError as error:
            raise ConfigError(
                f"--rj-policy {text}: four numbers are due, C_YELLOW,C_RED,DELTA,EPSILON, and "
                "after them rj_gap where the settings name it"
            ) from error
        return RjPolicy(yellow, red, delta, epsilon, *kind)
    sera = settings.learner.sera
    constants = (sera.c_yellow, sera.c_red, sera.delta, sera.epsilon, sera.policy)
    return RjPolicy(*constants) if own else None


def origin_prefix(trail: AuditTopics) -> str:
    """Return how the names of the logs of a trail begin."""
    return f"{quote(trail.application_id, safe='')}/"


def _kept(paths: list[Path]) -> dict[str, list[tuple[Locator, CheckpointNote]]]:
    notes: dict[str, list[tuple[Locator, CheckpointNote]]] = {}
    for path in paths:
        note = CheckpointNote.of_note(path.read_text(encoding="utf-8"))
        notes.setdefault(note.origin, []).append((Locator(str(path), None, 0), note))
    return notes


class _Advance:
    """Adds up what has been read, for the bar."""

    def __init__(self, bar: WorkProgress, total: int) -> None:
        self._bar = bar
        self._total = total
        self._records = self._done = 0

    def __call__(self, records: int, done: int) -> None:
        self._records += records
        self._done += done
        self._bar.show(self._records, self._done, self._total)


def _of_files(files: list[str], trust: Trust, bar: WorkProgress) -> Iterator[VerifyReport]:
    logs = find_logs(files)
    missing = trust.kept.keys() - {log.origin for log in logs}
    if missing:
        raise ConfigError(f"the files hold nothing of {', '.join(sorted(missing))}: see --kept")
    advance = _Advance(bar, sum(log.size_bytes for log in logs))
    for log in logs:
        yield log.verify(trust.keys, advance, trust.policy, trust.kept.get(log.origin, ()))


def verify_topics(
    settings: Settings,
    trust: Trust,
    tenant: str | None,
    shard: int | None,
    bar: WorkProgress,
) -> Iterator[VerifyReport]:
    """Verify the trail of an application where it lies, log by log.

    Args:
        settings: of the application.
        trust: what the trail is held to.
        tenant: only this one's logs; None: all.
        shard: only this one's; None: all.
        bar: shows how far it is.

    Raises:
        TopologyError: there is no trail.
        ConfigError: there is no such shard.
        BrokerUnavailable: the topics cannot be read.
    """
    topics = audit_topics(settings)
    counts = partition_counts(admin(settings.broker), settings.broker.bootstrap)
    for topic in (topics.records, topics.checkpoints):
        if topic not in counts:
            raise TopologyError(
                f"topic {topic} is not on {settings.broker.bootstrap}: the first worker to start "
                "makes it; or set topics.prefix to where your trail is"
            )
    trails = [topics]
    for kind in (Trail.MESSAGES, Trail.TOKENS):
        trail = audit_topics(settings, kind)
        if {trail.records, trail.checkpoints} <= counts.keys():
            trails.append(trail)
    shards = counts[topics.records]
    if shard is not None and not 0 <= shard < shards:
        raise ConfigError(f"--shard {shard}: there are {shards}, from 0")
    readers = PartitionReader(settings.broker), PartitionReader(settings.broker)
    audits = [
        ShardAudit(
            trail,
            number,
            *readers,
            trust.keys,
            tenant=tenant,
            policy=trust.policy,
            kept=trust.kept_of(trail),
        )
        for trail in trails
        for number in (range(shards) if shard is None else [shard])
    ]
    advance = _Advance(bar, sum(audit.offsets for audit in audits))
    for audit in audits:
        yield from audit.verify(advance)
    for reader in readers:
        reader.close()


def _plain(report: VerifyReport) -> dict[str, object]:
    return {
        "origin": report.origin,
        "outcome": report.outcome,
        "records": report.records,
        "steps": report.steps,
        "root": report.root,
        "head": report.head,
        "checkpoints": report.checkpoints,
        "signed_size": report.signed_size,
        "unsigned_tail": report.unsigned_tail,
        "alarms": report.alarm_count,
        "first_alarms": [
            {"at": str(alarm.locator), "step": alarm.step, "margin": alarm.margin}
            for alarm in report.alarms
        ],
        "failures": report.failure_counts,
        "first_failures": [
            {
                "reason": failure.reason,
                "at": str(failure.locator),
                "step": failure.step,
                "detail": failure.detail,
            }
            for failure in report.failures
        ],
    }


def _print(reports: list[VerifyReport]) -> None:
    out = output()
    if not reports:
        out.print("[bold yellow]nothing to verify[/bold yellow]: there are no audit records")
        return
    numbers = ("records", "checkpoints", "unsigned", "alarms", "failures")
    columns = ("log", "outcome", *numbers, "root")
    shown = table("Audit trail", columns, numbers)
    for report in reports:
        style = _STYLES[report.outcome]
        shown.add_row(
            escape(printable(report.origin)),
            f"[{style}]{report.outcome}[/{style}]",
            f"{report.records:,}",
            f"{report.checkpoints:,}",
            f"{report.unsigned_tail:,}",
            f"{report.alarm_count:,}",
            f"{sum(report.failure_counts.values()):,}",
            report.root.hex()[:_HASH_DIGITS] + "…",
        )
    out.print(shown)
    for report in reports:
        for failure in report.failures[:_SHOWN]:
            text = f"{report.origin}: {failure}"
            out.print(printable(text), style="red", markup=False, soft_wrap=True)
        left = sum(report.failure_counts.values()) - len(report.failures[:_SHOWN])
        if left > 0:
            out.print(f"[red]… and {left:,} more in this log[/red]")
        for alarm in report.alarms[:_SHOWN]:
            where = f"{report.origin}: margin {alarm.margin:.3f} at step {alarm.step}"
            text = f"{where} ({alarm.locator})"
            out.print(printable(text), style="magenta", markup=False, soft_wrap=True)
