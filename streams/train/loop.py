"""The training loop: both modes, both segments, the auxiliary tasks, and its log."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any, TextIO

import torch

from operators.dlp.generator.rows import ALONE, ANSWERED, CONTINUED
from operators.dlp.network import losses
from operators.dlp.network.config import SIZES
from operators.dlp.network.model import Network
from operators.dlp.tokenizer import MASK
from streams.train import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from operators.dlp.generator.rows import Batch
    from operators.dlp.network.config import NetworkConfig
    from operators.dlp.network.model import Outputs
    from streams.train.settings import TrainSettings
    from streams.train.stopping import EarlyStop

_MASKED = 0.15
_LOG_EVERY = 20


class Trainer:
    """A network in training.

    Args:
        settings: of the run.
        device: where it runs.
        compiled: whether blocks are compiled; one compilation serves all layers of a kind.
        teacher: a trained network whose tags are learnt beside the labels.
        config: of another network than the settings' size, to compare with.
    """

    def __init__(
        self,
        settings: TrainSettings,
        device: torch.device,
        *,
        compiled: bool,
        teacher: Network | None = None,
        config: NetworkConfig | None = None,
    ) -> None:
        self.settings = settings
        self.device = device
        torch.manual_seed(settings.seed)
        self.network = Network(config or SIZES[settings.size]).to(device)
        self.teacher = teacher
        if compiled:
            torch._dynamo.config.cache_size_limit = 64  # noqa: SLF001 - the public way to set it
            for network in (self.network, teacher):
                for block in (
                    []
                    if network is None
                    else [*network.lower, *network.upper, *network.slow.blocks]
                ):
                    block.compile(dynamic=False)
        plain = [
            weight
            for name, weight in self.network.named_parameters()
            if weight.ndim == 1 or "embedding" in name or "seed" in name
        ]
        known = {id(weight) for weight in plain}
        heavy = [weight for weight in self.network.parameters() if id(weight) not in known]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": heavy, "weight_decay": settings.decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=settings.rate,
            betas=(0.9, 0.95),
            fused=device.type == "cuda",
        )
        self.step = 0

    def rate(self) -> float:
        """Rate of this step: a rise, then a cosine."""
        settings = self.settings
        rise = max(1, int(settings.warmup * settings.steps))
        if self.step < rise:
            return settings.rate * (self.step + 1) / rise
        part = (self.step - rise) / max(1, settings.steps - rise)
        return settings.rate * (
            settings.floor + (1 - settings.floor) * (1 + math.cos(math.pi * part)) / 2
        )

    def learn(self, batch: Batch) -> dict[str, Tensor]:
        """One optimiser step, in causal mode at odd steps and in full mode at even ones."""
        causal = self.step % 2 == 1
        chance = torch.Generator(self.device).manual_seed(
            self.settings.seed * 1_000_003 + self.step
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        share = self.settings.long * 1024 / self.settings.tokens
        with torch.autocast(self.device.type, torch.bfloat16):
            loss, parts = self._long(batch, causal, chance)
        (share * loss).backward()  # type: ignore[no-untyped-call]
        with torch.autocast(self.device.type, torch.bfloat16):
            short, _ = self._short(batch, causal, chance)
        ((1 - share) * short).backward()  # type: ignore[no-untyped-call]
        parts["norm"] = torch.nn.utils.clip_grad_norm_(
            self.network.parameters(), self.settings.clip
        )
        parts["loss"] = (share * loss + (1 - share) * short).detach()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return parts

    def _send(self, values: Any) -> Tensor:
        tensor = torch.from_numpy(values)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor

    def _long(
        self, batch: Batch, causal: bool, chance: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        ids, tags = self._send(batch.long_ids.astype("int64")), self._send(batch.long_tags)
        labels, shuffled = (
            _bits(self._send(batch.long_labels)),
            self._send(batch.long_shuffled).float(),
        )
        link = self._send(batch.link)[:, None, None]
        start = self.network.slow.start(
            torch.zeros(len(ids), self.network.config.memory, device=self.device)
        )
        first, loss, parts = self._segment(
            ids[:, 0], tags[:, 0], labels[:, 0], shuffled[:, 0], start, causal, chance
        )
        thread = self.network.slow.start(first.memory.detach())
        carried = first.states[:, -1].detach()
        state = torch.where(
            link == CONTINUED, carried, torch.where(link == ANSWERED, thread, start)
        )
        second, more, _ = self._segment(
            ids[:, 1], tags[:, 1], labels[:, 1], shuffled[:, 1], state, causal, chance
        )
        memory = losses.memory_loss(first.memory, second.memory, link[:, 0, 0] != ALONE)
        parts["memory"] = memory.detach()
        return (loss + more) / 2 + losses.MEMORY * memory, parts

    def _short(
        self, batch: Batch, causal: bool, chance: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        ids, tags = self._send(batch.short_ids.astype("int64")), self._send(batch.short_tags)
        labels, shuffled = (
            _bits(self._send(batch.short_labels)),
            self._send(batch.short_shuffled).float(),
        )
        start = self.network.slow.start(
            torch.zeros(len(ids), self.network.config.memory, device=self.device)
        )
        _, loss, parts = self._segment(ids, tags, labels, shuffled, start, causal, chance)
        return loss, parts

    def _segment(
        self,
        ids: Tensor,
        tags: Tensor,
        labels: Tensor,
        shuffled: Tensor,
        state: Tensor,
        causal: bool,
        chance: torch.Generator,
    ) -> tuple[Outputs, Tensor, dict[str, Tensor]]:
        valid = ids != 0
        rows, length = ids.shape
        noisy = max(1, rows // 2)
        count = int(_MASKED * noisy * length)
        places = torch.randint(noisy * length, (count,), device=self.device, generator=chance)
        originals = ids.flatten()[places]
        seen = ids.flatten().clone()
        seen[places] = torch.where(originals != 0, MASK, 0)
        outputs = self.network(seen.view(rows, length), valid, state, causal)
        loss, parts = losses.segment_loss(outputs, tags, labels, shuffled, valid, causal)
        logits = self.network.denoised(outputs.hidden.flatten(0, 1)[places])
        targets = torch.where(originals == 0, -100, originals)
        denoise = torch.nn.functional.cross_entropy(logits.float(), targets)
        parts = {name: part.detach() for name, part in parts.items()} | {
            "denoise": denoise.detach()
        }
        loss = loss + losses.DENOISE * denoise
        if self.teacher is not None:
            loss = loss + self._distil(seen.view(rows, length), valid, outputs, causal)
        return outputs, loss, parts

    def _distil(self, ids: Tensor, valid: Tensor, outputs: Outputs, causal: bool) -> Tensor:
        """How far tags are from the teacher's, which starts each segment afresh."""
        assert self.teacher is not None
        with torch.no_grad():
            memory = torch.zeros(len(ids), self.teacher.config.memory, device=self.device)
            taught = self.teacher(ids, valid, self.teacher.slow.start(memory), causal).spans
        apart = torch.nn.functional.kl_div(
            outputs.spans.log_softmax(-1),
            taught.log_softmax(-1),
            log_target=True,
            reduction="none",
        ).sum(-1)
        return (apart * valid).sum() / valid.sum().clamp(min=1)


def _bits(labels: Tensor) -> Tensor:
    """The four labels of each chunk: [..., chunks, 4]."""
    places = torch.arange(4, device=labels.device, dtype=torch.uint8)
    return ((labels[..., None] >> places) & 1).float()


def train(
    trainer: Trainer,
    batches: Iterator[Batch],
    folder: Path,
    report: Callable[[str], None],
    *,
    seconds: float = math.inf,
    save_every: int = 1000,
    stop: EarlyStop | None = None,
) -> None:
    """Run until the steps are done, the time is up, or `stop` says so; then take its best weights.

    Metrics go to ``metrics.jsonl``; ``last.pt`` has the run as it ended, not the best weights.
    """
    if stop is not None and stop.over:
        stop.restore(trainer.network)
        return
    settings = trainer.settings
    started = last = time.monotonic()
    with (folder / "metrics.jsonl").open("a") as log:
        for batch in batches:
            parts = trainer.learn(batch)
            if trainer.step % _LOG_EVERY == 0 or trainer.step == settings.steps:
                now = time.monotonic()
                entry = {name: round(float(part), 5) for name, part in sorted(parts.items())}
                entry |= {
                    "step": trainer.step,
                    "rate": trainer.rate(),
                    "seconds": round(now - started, 1),
                }
                entry["tokens_per_s"] = round(_LOG_EVERY * settings.tokens / (now - last))
                log.write(json.dumps(entry) + "\n")
                log.flush()
                report(json.dumps(entry))
                last = now
            if stop is not None and trainer.step % stop.every == 0:
                _check(trainer, stop, log)
            if time.monotonic() - started > seconds or (stop is not None and stop.over):
                break
            if trainer.step % save_every == 0:
                checkpoint.save(trainer, folder / "last.pt", stop)
        checkpoint.save(trainer, folder / "last.pt", stop)
        if stop is not None:
            if trainer.step % stop.every:
                _check(trainer, stop, log)
            stop.restore(trainer.network)


def _check(trainer: Trainer, stop: EarlyStop, log: TextIO) -> None:
    entry = {"step": trainer.step, **stop.check(trainer.network, trainer.device)}
    log.write(json.dumps(entry) + "\n")
    log.flush()
