"""Checkpoints: everything that a run needs to go on bit for bit, or the weights alone in pieces."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from operators.dlp.network.model import Network
    from streams.train.loop import Trainer
    from streams.train.stopping import EarlyStop

PIECE = 15 << 20
"""Bytes of one piece of exported weights, at most."""


def save(trainer: Trainer, path: Path, stop: EarlyStop | None = None) -> None:
    """Write weights, optimiser, step and checks; later batches and masks follow from these."""
    state = {
        "settings": asdict(trainer.settings),
        "step": trainer.step,
        "network": trainer.network.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "stop": None if stop is None else stop.state(),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def resume(trainer: Trainer, path: Path, stop: EarlyStop | None = None) -> None:
    """Go on where `save` left off. Settings may differ in what the new run asks for on purpose."""
    state: dict[str, Any] = torch.load(path, map_location=trainer.device, weights_only=True)
    trainer.network.load_state_dict(state["network"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.step = state["step"]
    if stop is not None and state["stop"] is not None:
        stop.resume(state["stop"])


def export(network: Network, folder: Path, name: str) -> list[Path]:
    """Write the weights in half precision as pieces: ``name.0.pt``, ``name.1.pt`` and so on."""
    pieces: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for key, weight in network.state_dict().items():
        half = weight.detach().to("cpu", torch.bfloat16)
        if size + half.nbytes > PIECE and pieces[-1]:
            pieces.append({})
            size = 0
        pieces[-1][key] = half.clone()
        size += half.nbytes
    paths = [folder / f"{name}.{number}.pt" for number in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        torch.save(piece, path)
    return paths


def import_pieces(network: Network, paths: Iterable[Path]) -> None:
    """Read what `export` wrote."""
    state: dict[str, torch.Tensor] = {}
    for path in paths:
        state |= torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict({key: weight.float() for key, weight in state.items()})
