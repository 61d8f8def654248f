"""Figures on the development side: spans, scores, false alarms on ordinary text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from operators.dlp.calibration import calibration_error
from operators.dlp.dsl import Message, serialize
from operators.dlp.generator.rows import ALONE, ANSWERED, CONTINUED
from operators.dlp.scoring import SpanTally, alarms_at_recall, average_precision
from operators.dlp.tags import SCORES, from_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from operators.dlp.generator.rows import Batch
    from operators.dlp.network.model import Network
    from operators.dlp.tokenizer import Tokenizer

_ROWS: Final = 64


@torch.no_grad()
def evaluate(
    network: Network,
    batches: Iterable[Batch],
    device: torch.device,
    modes: Sequence[bool] = (False, True),
) -> dict[str, Any]:
    """Figures in full and, where `modes` has True, in causal mode on development batches.

    ``scores_second`` are those of second segments that continue or answer the first one: what they
    know of it went through the slow state.
    """
    network.eval()
    kept = list(batches)
    result = {}
    for causal in modes:
        tally, by_length = SpanTally(), SpanTally()
        scores, labels = [], []
        later_scores, later_labels = [], []
        for batch in kept:
            first = _run(network, batch.long_ids[:, 0], None, causal, device)
            link = torch.from_numpy(batch.link).to(device)[:, None, None]
            start = network.slow.start(torch.zeros(len(link), network.config.memory, device=device))
            thread = network.slow.start(first[2])
            state = torch.where(link == ANSWERED, thread, start)
            state = torch.where(link == CONTINUED, first[3], state)
            second = _run(network, batch.long_ids[:, 1], state, causal, device)
            short = _run(network, batch.short_ids, None, causal, device)
            for found, tags, marks, ids in (
                (first, batch.long_tags[:, 0], batch.long_labels[:, 0], batch.long_ids[:, 0]),
                (second, batch.long_tags[:, 1], batch.long_labels[:, 1], batch.long_ids[:, 1]),
                (short, batch.short_tags, batch.short_labels, batch.short_ids),
            ):
                for row in range(len(ids)):
                    length = int((ids[row] != 0).sum())
                    wanted = from_tags(tags[row, :length])
                    guess = from_tags(found[0][row, :length])
                    tally.add(wanted, guess)
                    if found is short:
                        by_length.add(wanted, guess)
                filled = (ids != 0).any(-1)
                scores.append(found[1][filled])
                labels.append((marks[filled, -1, None] >> np.arange(4)) & 1)
                if found is second:
                    linked = batch.link[filled] != ALONE
                    later_scores.append(scores[-1][linked])
                    later_labels.append(labels[-1][linked])
        table = tally.figures()
        result["causal" if causal else "full"] = {
            "spans": table,
            "macro_exact_f1": float(np.mean([row["exact_f1"] for row in table.values()])),
            "macro_overlap_f1": float(np.mean([row["overlap_f1"] for row in table.values()])),
            "short_macro_exact_f1": float(
                np.mean([row["exact_f1"] for row in by_length.figures().values()])
            ),
            "scores": _scores(scores, labels),
            "scores_second": _scores(later_scores, later_labels),
        }
    network.train()
    return result


def _scores(
    scores: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.integer]]
) -> dict[str, dict[str, float]]:
    """Figures of each score; ``auprc_rare`` is that of the rarer answer, which may be "no"."""
    chances = 1 / (1 + np.exp(-np.concatenate(scores).astype(float)))
    truth = np.concatenate(labels).astype(bool)
    figures = {}
    for place, name in enumerate(SCORES):
        chance, true = chances[:, place], truth[:, place]
        rare = (1 - chance, ~true) if true.sum() > (~true).sum() else (chance, true)
        figures[name] = {
            "auprc": average_precision(chance, true),
            "auprc_rare": average_precision(*rare),
            "fp_at_95r": alarms_at_recall(chance, true),
            "ece": calibration_error(chance, true),
            "positives": int(true.sum()),
            "count": len(true),
        }
    return figures


def _run(
    network: Network,
    ids: NDArray[np.integer],
    state: torch.Tensor | None,
    causal: bool,
    device: torch.device,
) -> tuple[NDArray[np.int64], NDArray[np.float32], torch.Tensor, torch.Tensor]:
    tags, scores, memories, states = [], [], [], []
    for start in range(0, len(ids), _ROWS):
        part = torch.from_numpy(ids[start : start + _ROWS].astype("int64")).to(device)
        before = (
            network.slow.start(torch.zeros(len(part), network.config.memory, device=device))
            if state is None
            else state[start : start + _ROWS]
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            outputs = network(part, part != 0, before, causal)
        tags.append(outputs.spans.argmax(-1).cpu().numpy())
        scores.append(outputs.scores[:, -1].float().cpu().numpy())
        memories.append(outputs.memory)
        states.append(outputs.states[:, -1])
    return np.concatenate(tags), np.concatenate(scores), torch.cat(memories), torch.cat(states)


@torch.no_grad()
def false_alarms(
    network: Network, tokenizer: Tokenizer, texts: Sequence[str], device: torch.device
) -> tuple[dict[str, float], list[str]]:
    """Spans per million bytes that are found in ordinary text, by type, and some of them."""
    network.eval()
    counts: Counter[str] = Counter()
    samples: list[str] = []
    size = sum(len(text.encode()) for text in texts)
    rows, origins = [], []
    for text in texts:
        serialized = serialize(Message(text)).text
        encoding = tokenizer.encode(serialized)
        for start in range(0, len(encoding.ids), 512):
            row = np.zeros(512, np.int64)
            part = encoding.ids[start : start + 512]
            row[: len(part)] = part
            rows.append(row)
            origins.append((serialized, encoding, start, len(part)))
    tags = _run(network, np.array(rows), None, False, device)[0]
    for row, (text, encoding, start, length) in zip(tags, origins, strict=True):
        for span in from_tags(row[:length]):
            low, high = encoding.starts[start + span.start], encoding.ends[start + span.end - 1]
            if span.type == "EMAIL" and "@" in text[low:high]:
                continue  # real addresses stand in real text; they are no false alarms
            counts[span.type] += 1
            before, after = text[max(0, low - 40) : low], text[high : high + 20]
            samples.append(f"{span.type}: {before}⟦{text[low:high]}⟧{after}")
    network.train()
    return {kind: count / size * 1e6 for kind, count in counts.most_common()}, samples
