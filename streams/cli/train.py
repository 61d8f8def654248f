"""``weir train``: the scanner's model from its seeds, or further on your own messages."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.console import messages, output, print_json
from streams.cli.options import AsJson
from streams.cli.progress import WorkProgress
from streams.dlp import development, package

EXAMPLES = (
    "weir train --out runs/base",
    "weir train --data labelled.jsonl --out runs/ours",
    "weir train --size tiny --steps 30 --out runs/tiny",
    "weir scan --model runs/ours/model notes.txt",
)


class Size(StrEnum):
    """Sizes of the network."""

    BASE = "base"
    FAST = "fast"
    TINY = "tiny"


# Steps, rows of 2 x 512 and of 128 tokens a step, peak rate.
_FULL = {
    Size.BASE: (9_930, 128, 512, 1e-3),
    Size.FAST: (9_930, 128, 512, 1e-3),
    Size.TINY: (40, 4, 16, 3e-3),
}
_TUNED = (300, 8, 32, 5e-5)


def command(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the model and checkpoints.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help='Your messages, lines of {"text", "spans": [{"start", "end", "label"}]}.',
        ),
    ] = None,
    size: Annotated[
        Size, typer.Option("--size", metavar="SIZE", help="base, fast or tiny.")
    ] = Size.BASE,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", min=1, help="Optimiser steps.")
    ] = None,
    long: Annotated[
        int | None, typer.Option("--long", metavar="N", min=1, help="Rows of 1,024 tokens a step.")
    ] = None,
    short: Annotated[
        int | None, typer.Option("--short", metavar="N", min=1, help="Rows of 128 tokens a step.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="RATE", help="Peak learning rate.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of weights and batches.")] = 1,
    packed: Annotated[
        Path | None,
        typer.Option(
            "--packed", metavar="DIR", help="Packed pools and carriers; default: drawn from here."
        ),
    ] = None,
    start: Annotated[
        Path,
        typer.Option(
            "--start",
            metavar="DIR",
            help="With --data: model to start from; default: the shipped.",
            show_default=False,
        ),
    ] = package.SHIPPED,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=0, help="Processes that generate messages."),
    ] = None,
    count: Annotated[
        int, typer.Option("--messages", metavar="N", min=20, help="To calibrate the scores on.")
    ] = 1_000,
    version: Annotated[
        str, typer.Option("--model-version", metavar="NAME", help="What verdicts call the model.")
    ] = "own",
    as_json: AsJson = False,
) -> None:
    """Train the scanner's model, or fine-tune it on your own labelled messages.

    Needs the extra `train`. Generates messages from seeds, trains, writes the eight-bit model to
    DIR/model and calibrates it. A run that was stopped goes on where it was. With --data the
    shipped model learns from your messages, mixed with as many generated ones. The whole run is
    meant for a GPU; --size tiny takes a CPU under two minutes and shows that everything works.
    """
    for module in ("torch", "onnx", "faker"):
        development.require(module, "weir train")
    from streams.train import pipeline  # noqa: PLC0415 - needs the extra
    from streams.train.settings import TrainSettings  # noqa: PLC0415 - the same

    opened = package.Package.open(start)
    if data is not None:
        size = Size(opened.size)
    usual = _TUNED if data is not None else _FULL[size]
    settings = TrainSettings(
        size.value,
        steps or usual[0],
        long or usual[1],
        short or usual[2],
        rate or usual[3],
        easy=0.0 if data is not None else 0.1,
        patience=0 if data is not None else 5,  # nothing of the user's own is held back
        seed=seed,
    )
    plan = pipeline.Plan(
        settings, out, packed, data, opened if data is not None else None,
        max(1, (os.cpu_count() or 2) - 1) if workers is None else workers, count, version,
    )  # fmt: skip
    with WorkProgress(messages(), "Training", "steps") as bar:
        figures = pipeline.run(
            plan, opened.tokenizer,
            lambda what: bar.say(what.capitalize()),
            lambda step, first: bar.show(step - first, step, settings.steps),
        )  # fmt: skip
    if as_json:
        print_json(figures)
        return
    console = output()
    console.print(f"{figures['model']}: {figures['steps']} steps, {figures['seconds']} s")
    for name, row in figures["scores"].items():
        console.print(f"  {name}: AUPRC {row['auprc']:.3f}, ECE {row['ece']:.3f}")
