"""``weir scan``: what must not leak, found in a file or in what is piped in."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from operators.dlp.dsl import Message
from operators.dlp.policy import Decision
from operators.dlp.redact import Redaction, redact
from operators.dlp.verdict import Placed, Verdict
from schemas.errors import ConfigError
from schemas.sources.errors import UnreadableSource
from streams.cli.console import messages, output, print_json
from streams.cli.exit_codes import BLOCKED, REVIEWED
from streams.cli.options import AsJson, flag
from streams.cli.palette import COLOURS, DECISIONS
from streams.dlp import package, policy_file, records
from streams.dlp.scanner import NEVER, Scanner

EXAMPLES = (
    "weir scan notes.txt",
    "git diff --cached | weir scan -",
    "weir scan --json notes.txt",
    "weir scan --jsonl messages.jsonl predictions.jsonl",
    "weir scan --redact replace notes.txt > notes.clean.txt",
)

_CODES = {Decision.REVIEW: REVIEWED, Decision.BLOCK: BLOCKED}
Model = Annotated[
    Path,
    typer.Option(
        "--model",
        metavar="DIR",
        help="Folder of the model; default: the shipped.",
        show_default=False,
    ),
]
PolicyFile = Annotated[
    Path,
    typer.Option(
        "--policy", metavar="FILE", help="Policy; default: the shipped.", show_default=False
    ),
]


def command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Text to scan, or - for standard input.")
    ],
    out: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="With --jsonl: where predictions go.")
    ] = None,
    jsonl: Annotated[
        bool,
        flag("--jsonl", help='FILE has lines of {"id", "text"}: write them with "spans" to OUT.'),
    ] = False,
    how: Annotated[
        Redaction | None,
        typer.Option(
            "--redact", metavar="HOW", help="Print the text without its values: mask or replace."
        ),
    ] = None,
    model: Model = package.SHIPPED,
    policy: PolicyFile = policy_file.SHIPPED,
    as_json: AsJson = False,
) -> None:
    """Find what must not leak in a text, and say what the policy decides about it.

    Prints the text with what was found in colour, the scores and the decision; --json prints the
    verdict, which holds places and never the values. Works offline, on one core.

    Ends with 0 for ALLOW and ALLOW_WITH_WARNING, 10 for REVIEW, 11 for BLOCK.
    """
    if jsonl != (out is not None):
        raise ConfigError("--jsonl takes two files, IN and OUT; without it there is one FILE")
    if how is Redaction.HASH:
        raise ConfigError("--redact hash needs a secret key: use operators.dlp.redact in a program")
    scanner = Scanner.load(model, policy, exits=NEVER)
    if out is not None:
        _predict(scanner, file, out)
        return
    text = _text(file)
    verdict = scanner.scan(Message(text))
    if how is not None:
        sys.stdout.write(redact(text, verdict.spans, how))
    elif as_json:
        print_json(verdict.to_json())
    else:
        _show(text, verdict)
    code = _CODES.get(verdict.decision, 0)
    if code:
        raise typer.Exit(code)


def _text(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UnreadableSource(f"{file}: {error.strerror or error}") from error
    return data.decode("utf-8", "replace")


def _predict(scanner: Scanner, file: Path, out: Path) -> None:
    say = messages()
    with out.open("w", encoding="utf-8") as lines, say.status("Scanning …") as status:
        for number, record in enumerate(records.read(file), 1):
            verdict = scanner.scan(Message(record.text))
            records.write(lines, record.id, record.text, verdict.spans)
            status.update(f"Scanning: {number} texts …")


def _show(text: str, verdict: Verdict) -> None:
    shown, done = Text(), 0
    for span in verdict.spans:
        shown.append(_readable(text[done : span.start]))
        value = _readable(text[span.start : span.end])
        shown.append(value, style=f"bold underline {COLOURS[span.type]}")
        shown.append(f"⟨{span.type}⟩", style=f"dim {COLOURS[span.type]}")
        done = span.end
    shown.append(_readable(text[done:]))
    console = output()
    console.print(shown, soft_wrap=True)
    console.print()
    console.print(_line(verdict), soft_wrap=True)
    for reason in verdict.rationale:
        console.print(Text(f"  {reason}", style="dim"), soft_wrap=True)
    counts = _counts(verdict.spans)
    if counts:
        console.print(Text("  found: " + ", ".join(f"{n} {kind}" for kind, n in counts.items())))


def _line(verdict: Verdict) -> Text:
    line = Text(str(verdict.decision), style=DECISIONS[verdict.decision])
    scores = "  ".join(f"{name} {score:.2f}" for name, score in verdict.scores.items())
    return line.append(f"  {scores}", style="default not bold")


def _counts(spans: tuple[Placed, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for span in spans:
        found[span.type] = found.get(span.type, 0) + 1
    return found


def _readable(text: str) -> str:
    """Characters that steer a terminal are replaced; line ends and tabs stay."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else "" if char == "\r" else "\ufffd"
        for char in text
    )
