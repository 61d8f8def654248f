"""``weir eval``: how good the scanner is, and how early it speaks while a text still arrives."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from operators.dlp.tags import TYPES
from operators.dlp.tokenizer import Tokenizer
from streams.cli.console import messages, output, print_json, table
from streams.cli.options import AsJson, flag
from streams.cli.scan import Model, PolicyFile
from streams.dlp import development, evaluation, package, peers, policy_file, records
from streams.dlp.scanner import NEVER, Scanner

EXAMPLES = (
    "weir eval dlp labelled.jsonl",
    "weir eval dlp --json labelled.jsonl",
    "weir eval dlp --messages 500",
    "weir eval streams --messages 200 --plot prefixes.png",
)

MESSAGES = 600


class Subject(StrEnum):
    """What can be evaluated."""

    DLP = "dlp"
    STREAMS = "streams"


def command(
    what: Annotated[
        Subject, typer.Argument(metavar="NAME", help="dlp: the scanner; streams: partial verdicts.")
    ],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help='Lines of {"id", "text", "spans": [{"start", "end", "label"}]}; else generated.',
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("--messages", metavar="N", min=1, help="Generated messages.")
    ] = MESSAGES,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Packed pools and carriers; default: drawn from here."
        ),
    ] = None,
    alone: Annotated[bool, flag("--alone", help="Leave other scanners out.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Of streams: draw the figures.")
    ] = None,
    model: Model = package.SHIPPED,
    policy: PolicyFile = policy_file.SHIPPED,
    as_json: AsJson = False,
) -> None:
    """Measure the scanner on generated messages, or on your own labelled texts.

    On a file: precision, recall and F1 for each label, exact and where half of it overlaps, false
    spans a megabyte, and the same for Presidio and detect-secrets where they are installed.
    Generated: also AUPRC, FP@95R and calibration error of the scores, precision@k of grave spans,
    recall of disguised values, and the share of decisions that a shift leaves alone.

    Streams, generated: what is said of a text that still arrives, by tenth of it: how early the
    final decision is given, how many spans are revised, F1 of spans, calibration.
    """
    if what is Subject.STREAMS:
        if file is not None:
            raise typer.BadParameter("streams are generated: leave the file out", param_hint="FILE")
        _streams(count, data, model, policy, plot, as_json=as_json)
        return
    scanner = Scanner.load(model, policy, exits=NEVER)
    say = messages()
    with say.status("Measuring …") as status:

        def tell(progress: str) -> None:
            status.update(f"Measuring: {progress} …")

        if file is None:
            _, source = development.both(data, Tokenizer(scanner.package.tokenizer))
            drawn = evaluation.generated(source, count)
            found = [evaluation.on_generated(drawn, scanner, tell)]
        else:
            read = list(records.read(file))
            others = sorted({label for record in read for label in record.others})
            if others:
                say.print(f"labels that are no tags are left out: {', '.join(others)}")
            found = evaluation.on_records(read, scanner, {} if alone else peers.installed(), tell)
    for figures in found:
        if as_json:
            print_json(figures)
        else:
            _show(figures)


def _streams(
    count: int, data: Path | None, model: Path, policy: Path, plot: Path | None, *, as_json: bool
) -> None:
    from streams.hierarchy import evaluation as prefixes  # noqa: PLC0415 - numba takes a second

    say = messages()
    with say.status("Measuring …") as status:
        found = prefixes.measured(
            data, model, policy, count, lambda told: status.update(f"Measuring: {told} …")
        )
    if plot is not None:
        from streams.hierarchy.prefix_plot import draw  # noqa: PLC0415 - so does matplotlib

        draw(found, plot)
    if as_json:
        print_json(found)
        return
    tenths = [f"{number}0 %" for number in range(1, prefixes.TENTHS + 1)]
    made = table(f"{found['streams']} streams", ("of the text", *tenths), tenths)
    for name, values in prefixes.rows(found):
        made.add_row(name, *(f"{value:.3f}" for value in values))
    console = output()
    console.print(made)
    for name in filter(found.__getitem__, ("earliness", "earliness_not_allowed")):
        first, good = found[name]["first"]["mean"], found[name]["for_good"]["mean"]
        console.print(
            f"{name}: final decision given at {first:.3f} of the text, for good {good:.3f}"
        )
    of = found["revisions"]
    console.print(
        f"spans told: {of['spans']}, revised {of['revised']}, withdrawn {of['withdrawn']}"
    )


def _show(figures: dict[str, Any]) -> None:
    console = output()
    console.print(_spans(figures))
    for name in ("false_per_mb", "flagged_without_secret", "disguised_recall", "stability"):
        if name in figures:
            console.print(f"{name}: {figures[name]:.3f}")
    for name, row in figures.get("scores", {}).items():
        console.print(
            f"{name}: AUPRC {row['auprc']:.3f}, FP@95R {row['fp_at_95r']:.3f}, ECE {row['ece']:.3f}"
        )
    for k, share in figures.get("precision_at", {}).items():
        console.print(f"precision@{k}: {share:.3f}")


def _spans(figures: dict[str, Any]) -> Table:
    measures = ("exact_precision", "exact_recall", "exact_f1", "overlap_precision")
    columns = ("label", "count", *measures, "overlap_recall", "overlap_f1", "false")
    made = table(figures["system"], columns, columns[1:])
    for kind in TYPES:
        row = figures["spans"][kind]
        if row["count"] or row["false"]:
            shares = [f"{row[name]:.3f}" for name in columns[2:-1]]
            made.add_row(kind, str(row["count"]), *shares, str(row["false"]))
    exact, overlap = figures["macro_exact_f1"], figures["macro_overlap_f1"]
    made.add_row("macro", "", "", "", f"{exact:.3f}", "", "", f"{overlap:.3f}", "")
    return made
