"""``weir export``: the audit trail to objects that nobody changes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from state.objects import ObjectStore, Retention
from streams.audit_reader import read_checkpoint, tenant_of
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json, printable
from streams.cli.options import AsJson, Bootstrap, OfTrail, Trail, audit_topics, read_settings
from streams.cli.progress import WorkProgress
from streams.export import export_log
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import admin, partition_counts
from streams.trail import TopicLog

EXAMPLES = (
    "weir export ./trail && weir verify ./trail",
    "weir export s3://audit-bucket/weir --retain-days 2555",
    "weir export s3://audit-bucket/weir --retain-days 30 --lock GOVERNANCE --tenant acme",
)


def command(
    destination: Annotated[
        str, typer.Argument(metavar="URL", help="Folder, or s3://bucket/prefix, of the objects.")
    ],
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="This tenant's log only.")
    ] = None,
    shard: Annotated[
        int | None, typer.Option("--shard", metavar="N", min=0, help="This shard's logs only.")
    ] = None,
    of: OfTrail = Trail.EVENTS,
    retain_days: Annotated[
        int | None,
        typer.Option(
            "--retain-days",
            metavar="N",
            min=1,
            help="Lock each object for so many days (S3 Object Lock).",
        ),
    ] = None,
    lock: Annotated[
        str,
        typer.Option(
            "--lock",
            metavar="MODE",
            help="GOVERNANCE, which a special right may lift, or COMPLIANCE, which nobody may.",
        ),
    ] = "COMPLIANCE",
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Export the audit trail to objects that nobody changes.

    Goes on where the last export to the same place ended, and takes what signed checkpoints cover.
    With --retain-days nobody can change or delete the objects before that time: the bucket must
    have Object Lock enabled. Credentials and endpoint of S3 come from the environment
    (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL). Verify an export with `weir verify URL`, or give it to
    its tenant, who needs no more than the public key.
    """
    modes: dict[str, Literal["GOVERNANCE", "COMPLIANCE"]] = {
        "GOVERNANCE": "GOVERNANCE",
        "COMPLIANCE": "COMPLIANCE",
    }
    if lock not in modes:
        raise typer.BadParameter("GOVERNANCE or COMPLIANCE", param_hint="--lock")
    retention = None
    if retain_days is not None:
        retention = Retention(datetime.now(UTC) + timedelta(days=retain_days), modes[lock])
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap))
    topics = audit_topics(settings, of)
    store = ObjectStore(destination)
    counts = partition_counts(admin(settings.broker), settings.broker.bootstrap)
    reader = PartitionReader(settings.broker)
    shards = range(counts.get(topics.checkpoints, 0)) if shard is None else [shard]
    with WorkProgress(messages(), "Exporting", "records") as bar:
        done = 0

        def show(records: int) -> None:
            nonlocal done
            done += records
            bar.show(done, done, None)

        for number in shards:
            for name in _tenants(reader, topics.checkpoints, number):
                if tenant in (None, name):
                    log = TopicLog(topics, name, number, reader)
                    written = export_log(log, name, number, store, retention, show)
                    if as_json:
                        print_json(written._asdict())
                    else:
                        text = f"{written.origin}: {written.records:,} records"
                        output().print(printable(text), markup=False)
    reader.close()


def _tenants(reader: PartitionReader, topic: str, shard: int) -> list[str]:
    low, end = reader.bounds(topic, shard)
    found = set()
    for batch in reader.read(topic, shard, low, end):
        for record in batch:
            read_checkpoint(record.value)
            found.add(tenant_of(record.key))
    return sorted(found)
