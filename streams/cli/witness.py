"""``weir witness``: an independent process that watches the audit trail and cosigns it."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import ConfigError, SecretError, TopologyError
from state.audit.checkpoint import CheckpointNote
from state.audit.cosign import Cosigner
from state.audit.note import Verifier
from state.audit.witness import Finding, Verdict, Witness
from state.secrets.secret import SECRET_BYTES, parse_secret
from streams.cli import exit_codes
from streams.cli.broker import reach_broker
from streams.cli.console import messages, output, print_json, printable
from streams.cli.options import AsJson, Bootstrap, OfTrail, Trail, audit_topics, flag, read_settings
from streams.kafka.reader import PartitionReader
from streams.kafka.topics import admin, partition_counts, topic_ids
from streams.witness import TopicShardLog

EXAMPLES = (
    "weir witness --dir /var/lib/witness --key weir+8a4f02c1+AW9iXk…",
    "weir witness --dir witness --key weir+8a4f02c1+AW9iXk… --once --json",
    "weir witness --dir witness --key weir+8a4f02c1+AW9iXk… --once --note from-tenant.note",
)

KEY_FILE = "witness.key"
_STYLES = {Verdict.COSIGNED: "green", Verdict.FORK: "bold red"}


def command(
    folder: Annotated[
        Path,
        typer.Option("--dir", metavar="DIR", help="The witness' own folder: key, notes, evidence."),
    ],
    key: Annotated[
        list[str],
        typer.Option(
            "--key",
            metavar="KEY",
            help="Public key of the logs, as `weir audit-key` prints it; may be repeated.",
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name under which it cosigns.")
    ] = "witness",
    note: Annotated[
        list[Path] | None,
        typer.Option(
            "--note",
            metavar="FILE",
            help="A checkpoint that someone else was given: compare it too; may be repeated.",
        ),
    ] = None,
    of: OfTrail = Trail.EVENTS,
    every: Annotated[
        float, typer.Option("--every", metavar="S", min=0.1, help="Seconds between two passes.")
    ] = 10.0,
    once: Annotated[bool, flag("--once", help="Make one pass and end.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Watch the audit trail, cosign it, and prove forks.

    Run it where the operator of the stream has no say: it needs the topics to read, the logs'
    public key, and a folder of its own, in which it makes its key (mode 0600). Each new checkpoint
    is compared with the records and with all that was cosigned before; the newest that fits is
    cosigned (C2SP tlog-cosignature) into DIR/cosigned. When it meets two signed histories it writes
    both signed checkpoints to DIR/evidence, as a proof that `weir prove check` accepts from anyone.

    Exit codes of --once: 0 everything fits; 4 something does not.
    """
    keys = [Verifier.from_string(text) for text in key]
    cosigner = Cosigner(name, _own_key(folder))
    settings = reach_broker(read_settings(broker__bootstrap=bootstrap))
    topics = audit_topics(settings, of)
    counts = partition_counts(admin(settings.broker), settings.broker.bootstrap)
    if topics.checkpoints not in counts:
        raise TopologyError(f"topic {topics.checkpoints} is not on {settings.broker.bootstrap}")
    identity = topic_ids(admin(settings.broker), [topics.records, topics.checkpoints])
    readers = PartitionReader(settings.broker), PartitionReader(settings.broker)
    shards = [
        (Witness(folder, shard, keys, cosigner), TopicShardLog(topics, shard, *readers, identity))
        for shard in range(counts[topics.checkpoints])
    ]
    messages().print(f"cosigning as {cosigner.verifier}", markup=False, soft_wrap=True)
    bad = False
    while True:
        for witness, log in shards:
            for finding in witness.observe(log):
                _say(finding, as_json)
                bad |= finding.verdict is not Verdict.COSIGNED
        for path in note or ():
            bad |= _compare(path, shards, as_json)
        note = None
        if once:
            break
        time.sleep(every)
    for reader in readers:
        reader.close()
    raise typer.Exit(exit_codes.TAMPERED if bad else 0)


def _compare(path: Path, shards: list[tuple[Witness, TopicShardLog]], as_json: bool) -> bool:
    """Compare a note from elsewhere; tell whether it contradicts what was seen."""
    given = CheckpointNote.of_note(path.read_text(encoding="utf-8"))
    shard = given.origin.rpartition("/")[2]
    if not shard.isdecimal() or int(shard) >= len(shards):
        raise ConfigError(f"{path} is of {given.origin}: there is no such shard here")
    finding = shards[int(shard)][0].compare(given, shards[int(shard)][1])
    if finding is not None:
        _say(finding, as_json)
    return finding is not None


def _say(finding: Finding, as_json: bool) -> None:
    if as_json:
        print_json(finding._asdict() | {"path": str(finding.path)})
        return
    text = f"{finding.verdict} {finding.origin} {finding.size}: {finding.detail or finding.path}"
    if finding.detail:
        text += f" ({finding.path})"
    style = _STYLES.get(finding.verdict, "red")
    output().print(printable(text), style=style, markup=False, soft_wrap=True)


def _own_key(folder: Path) -> Ed25519PrivateKey:
    """Read the witness' key, made at the first start.

    Raises:
        SecretError: the file is none, or is open to others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / KEY_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise SecretError(f"{path} is open to others: chmod 600 {path}") from None
    else:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(os.urandom(SECRET_BYTES).hex() + "\n")
    seed = parse_secret(path.read_text(encoding="ascii"))
    if seed is None:
        raise SecretError(f"{path} holds no key of {SECRET_BYTES} bytes: bring back the right one")
    return Ed25519PrivateKey.from_private_bytes(seed)
