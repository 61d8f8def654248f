"""``weir prove``: proofs about the audit trail that others can check."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigError
from state.audit.bundle import check_bundle
from state.audit.note import Verifier
from streams.cli.audit_files import find_logs
from streams.cli.broker import reach_broker
from streams.cli.console import output, print_json
from streams.cli.keys import own_verifiers
from streams.cli.options import AsJson, Bootstrap, OfTrail, Trail, audit_topics, read_settings
from streams.kafka.reader import PartitionReader
from streams.prover import prove_consistency, prove_head, prove_inclusion
from streams.trail import FileLog, TopicLog, TrailLog

EXAMPLES = (
    "weir prove inclusion --tenant acme --shard 0 --step 17 --out proof.json",
    "weir prove consistency --tenant acme --shard 0 --first kept.note",
    "weir prove head --tenant acme --shard 0 | weir prove check -",
    "weir prove check proof.json --key weir+8a4f02c1+AW9iXk…",
)


class Kind(StrEnum):
    """What is to be proved."""

    INCLUSION = "inclusion"
    CONSISTENCY = "consistency"
    HEAD = "head"
    CHECK = "check"


def command(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="inclusion: a step's record is in the signed log; consistency: the log only grew "
            "since a checkpoint; head: the cell stands in the shard's root; check: check a proof.",
        ),
    ],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILES", help="Of check: the proof, or -. Else: exported logs; none: topics."
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="Whose log, of the topics.")
    ] = None,
    shard: Annotated[
        int, typer.Option("--shard", metavar="N", min=0, help="Which shard's, of the topics.")
    ] = 0,
    of: OfTrail = Trail.EVENTS,
    step: Annotated[
        int | None, typer.Option("--step", metavar="N", min=1, help="Of inclusion: the step.")
    ] = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--first",
            metavar="SIZE|FILE",
            help="Of consistency: tree size of the earlier checkpoint, or a file with its note.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size", metavar="N", min=1, help="Tree size of the checkpoint; default: the newest."
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="Of check: public key that may sign; may be repeated. Default: the own keys.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to; default: print it.")
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Prove what the audit trail holds, or check such a proof.

    A proof is a JSON object with the signed checkpoint in it. Whoever has the public key can check
    it, with `weir prove check` or with `python -m state.audit proof`, without the log.

    Exit codes: 0 made, or it proves what it says; 4 it does not.
    """
    settings = read_settings(broker__bootstrap=bootstrap)
    if kind is Kind.CHECK:
        keys = [Verifier.from_string(text) for text in key] if key else own_verifiers(settings)
        _check(files or [], keys, as_json)
        return
    reader = None
    log: TrailLog
    if files:
        logs = find_logs(files)
        if len(logs) != 1:
            raise ConfigError(f"the files hold {len(logs)} logs: name those of one")
        log = FileLog(logs[0])
    else:
        if tenant is None:
            raise ConfigError("--tenant says whose log it is about")
        settings = reach_broker(settings)
        reader = PartitionReader(settings.broker)
        log = TopicLog(audit_topics(settings, of), tenant, shard, reader)
    proof = _made(kind, log, step, first, size)
    if reader is not None:
        reader.close()
    if out is None:
        typer.echo(proof, nl=False)
    else:
        out.write_text(proof, encoding="utf-8")


def _made(kind: Kind, log: TrailLog, step: int | None, first: str | None, size: int | None) -> str:
    if kind is Kind.INCLUSION:
        if step is None:
            raise ConfigError("--step says which record is to be proved")
        return prove_inclusion(log, step, size)
    if kind is Kind.HEAD:
        return prove_head(log, size)
    if first is None:
        raise ConfigError("--first says since which checkpoint the log only grew")
    if first.isdecimal():
        return prove_consistency(log, int(first), size)
    return prove_consistency(log, Path(first).read_text(encoding="utf-8"), size)


def _check(files: list[str], keys: list[Verifier], as_json: bool) -> None:
    if len(files) != 1:
        raise ConfigError("name the file of the proof, or - for standard input")
    if files[0] == "-":
        text = typer.get_text_stream("stdin").read()
    else:
        text = Path(files[0]).read_text(encoding="utf-8")
    proved = check_bundle(text, keys)
    if as_json:
        print_json(proved._asdict())
    else:
        output().print(
            f"{proved.origin}: {proved.statement}", style="green", markup=False, soft_wrap=True
        )
