"""Training from start to end: data, network, model folder."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from operators.dlp.tokenizer import Tokenizer
from streams.dlp import development, records
from streams.train import checkpoint, feed, loop, own, ship, unpack
from streams.train.stopping import early_stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.dlp.package import Package
    from streams.train.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train.

    Attributes:
        settings: of the run.
        out: folder for the model; ``work`` in it for checkpoints, which a later run goes on from.
        data: packed pools and carriers, or None: drawn from what is installed.
        mine: the user's labelled messages, or None.
        start: model to start from, or None: random weights. Its tokenizer is kept either way.
        workers: processes that make batches.
        messages: development messages for calibration.
        version: of the model.
    """

    settings: TrainSettings
    out: Path
    data: Path | None
    mine: Path | None
    start: Package | None
    workers: int
    messages: int
    version: str


def run(
    plan: Plan, tokenizer: bytes, say: Callable[[str], None], show: Callable[[int, int], None]
) -> dict[str, Any]:
    """Train, export, calibrate; the figures of the scores.

    Args:
        plan: what to train.
        tokenizer: bytes of the SentencePiece model.
        say: told what is going on.
        show: told the step that is done, and the one that this run began after.
    """
    began = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    say("drawing names and carrier texts")
    source, dev = development.both(plan.data, Tokenizer(tokenizer))
    calibrating = source
    if plan.mine is not None:
        source = own.Blended(source, [own.labelled(one) for one in records.read(plan.mine)])
    work = plan.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    stop = early_stop(plan.settings, dev)
    trainer = loop.Trainer(plan.settings, device, compiled=device.type == "cuda")
    if (work / "last.pt").exists():
        checkpoint.resume(trainer, work / "last.pt", stop)
    elif plan.start is not None:
        unpack.restore(trainer.network, plan.start.folder)
    batches = feed.batches(source, plan.settings, trainer.step, plan.workers)
    first = trainer.step
    say(f"training, from step {first}" if first else "training")
    loop.train(
        trainer, batches, work, lambda line: show(json.loads(line)["step"], first), stop=stop
    )
    network = trainer.network.to("cpu").float().eval()
    figures = ship.ship(
        network, calibrating, dev, tokenizer, plan.out / "model",
        version=plan.version, size=plan.settings.size, messages=plan.messages, say=say,
    )  # fmt: skip
    return {
        "model": str(plan.out / "model"),
        "version": plan.version,
        "steps": trainer.step,
        "seconds": round(time.perf_counter() - began, 1),
        "scores": figures,
    }
