"""What must hold at the end of a run, read back from Kafka."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from schemas.codec import Codec
from state.audit.checkpoint import origin_of
from state.audit.report import Outcome
from streams.audit_reader import AuditTopics, ShardAudit
from streams.cli import exit_codes
from streams.cli.keys import own_verifiers
from streams.kafka.reader import PartitionReader

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from state.audit.note import Verifier
    from state.audit.report import VerifyReport
    from streams.backtest import BacktestReport
    from streams.demo.traffic import EventName
    from streams.settings import Settings

NOT_EXACTLY_ONCE = 1


class Check(NamedTuple):
    """One thing that must hold.

    Attributes:
        name: in a word, for scripts.
        holds: whether it does.
        text: what was found, in words.
        code: exit code where it does not hold.
    """

    name: str
    holds: bool
    text: str
    code: int


class LogEnd(NamedTuple):
    """Where an audit log ends."""

    records: int
    root: bytes


class ReadBack(NamedTuple):
    """What is on the output topics, read from their beginnings, committed records only.

    Attributes:
        predicted: how often each event was predicted.
        quarantined: how often each message is in quarantine.
        trail: verification of each audit log.
    """

    predicted: Counter[EventName]
    quarantined: Counter[bytes]
    trail: list[VerifyReport]


def read_back(settings: Settings) -> ReadBack:
    """Read the outputs of a run, and verify its audit trail as `weir verify` does.

    Raises:
        BrokerUnavailable: the topics cannot be read.
        SecretError: the signing secret is missing.
    """
    keys = own_verifiers(settings)
    shards = range(settings.topics.partitions)
    # Reading is mostly waiting: for the end of a partition, say.
    with ThreadPoolExecutor(len(shards) + 2) as pool:
        predictions = pool.submit(values, settings, "predictions")
        quarantine = pool.submit(values, settings, "quarantine")
        trails = pool.map(lambda shard: _verify(settings, shard, keys), shards)
        trail = [report for reports in trails for report in reports]
    prediction, refused = Codec("prediction").decode, Codec("quarantine").decode
    records = map(prediction, predictions.result())
    return ReadBack(
        Counter((record["tenant"], record["event_id"]) for record in records),
        Counter(refused(value)["value"] for value in quarantine.result()),
        trail,
    )


def values(settings: Settings, role: str) -> list[bytes]:
    """Read a topic from its beginning, committed records only; those of a partition in order.

    Raises:
        BrokerUnavailable: it cannot be read.
    """
    topic = settings.topics.name(role)
    found: list[bytes] = []
    reader = PartitionReader(settings.broker)
    try:
        for partition in range(settings.topics.partitions):
            _, end = reader.bounds(topic, partition)
            for batch in reader.read(topic, partition, None, end):
                found += (record.value for record in batch if record.value is not None)
    finally:
        reader.close()
    return found


def _verify(settings: Settings, shard: int, keys: Collection[Verifier]) -> list[VerifyReport]:
    name = settings.topics.name
    topics = AuditTopics(name("audit"), name("audit-checkpoints"), settings.application_id)
    records, checkpoints = PartitionReader(settings.broker), PartitionReader(settings.broker)
    try:
        return ShardAudit(topics, shard, records, checkpoints, keys).verify(_unseen)
    finally:
        records.close()
        checkpoints.close()


def _unseen(_records: int, _offsets: int) -> None:
    """Show no progress: a run is read in a moment."""


def log_ends(application_id: str, offline: BacktestReport) -> dict[str, LogEnd]:
    """Return where the audit logs of an offline run end, by origin."""
    return {
        origin_of(application_id, cell.tenant, cell.shard): LogEnd(cell.steps, cell.audit_root)
        for cell in offline.cells
    }


def check_predictions(wanted: Collection[EventName], predicted: Mapping[EventName, int]) -> Check:
    """Check that each event has one prediction, and nothing else has one."""
    lost = sum(1 for name in wanted if name not in predicted)
    repeated = sum(count - 1 for count in predicted.values())
    foreign = sum(1 for name in predicted if name not in wanted)
    holds = not (lost or repeated or foreign)
    found = f"{len(wanted):,} events, {sum(predicted.values()):,} predictions"
    text = (
        f"{found}: none lost, none repeated"
        if holds
        else f"{found}: {lost:,} lost, {repeated:,} repeated, {foreign:,} of unknown events"
    )
    return Check("exactly_once", holds, text, NOT_EXACTLY_ONCE)


def check_quarantine(broken: Collection[bytes], quarantined: Mapping[bytes, int]) -> Check:
    """Check that each broken message is in quarantine once, byte for byte, and nothing else is."""
    holds = dict.fromkeys(broken, 1) == dict(quarantined)
    found = f"{len(broken)} broken messages, {sum(quarantined.values())} in quarantine"
    text = f"{found}, byte for byte" if holds else f"{found}: they are not the same"
    return Check("quarantine", holds, text, NOT_EXACTLY_ONCE)


def check_trail(reports: Collection[VerifyReport], predictions: int) -> Check:
    """Check that every audit log verifies, and that they have a record for each prediction.

    A log that tells of an alarm verifies: alarms are findings about the stream, not the log.
    """
    bad = [one for one in reports if one.outcome not in (Outcome.OK, Outcome.ALARM)]
    records = sum(one.records for one in reports)
    signed = sum(one.checkpoints for one in reports)
    alarms = sum(one.alarm_count for one in reports)
    found = f"{len(reports)} audit logs, {records:,} records, {signed:,} signed checkpoints"
    if bad:
        first = bad[0]
        why = str(first.failures[0]) if first.failures else "its end is not signed"
        return Check(
            "audit",
            False,
            f"{found}: {first.origin} is {first.outcome}: {why}",
            exit_codes.TAMPERED,
        )
    if records != predictions:
        text = f"{found}, and {predictions:,} predictions: some have no record"
        return Check("audit", False, text, exit_codes.TAMPERED)
    told = f"; margin below 0 at {alarms:,} of them, each time with a reaction" if alarms else ""
    return Check("audit", True, f"{found}: everything holds{told}", exit_codes.TAMPERED)


def check_offline(reports: Collection[VerifyReport], offline: Mapping[str, LogEnd]) -> Check:
    """Check that the same messages, stepped through offline, give the same audit roots."""
    online = {one.origin: LogEnd(one.records, one.root) for one in reports}
    same = sum(online.get(origin) == end for origin, end in offline.items())
    holds = online == dict(offline)
    text = (
        f"run again without Kafka and without a crash: the same {same} audit roots, bit for bit"
        if holds
        else f"run again without Kafka and without a crash: {same} of {len(offline)} audit roots "
        "are the same"
    )
    return Check("offline", holds, text, NOT_EXACTLY_ONCE)
