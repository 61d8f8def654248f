"""What the levels and the lookahead add, on development streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from operators.dlp.calibration import calibration_error
from operators.dlp.scoring import SpanTally, average_precision
from operators.dlp.tags import SCORES, from_tags
from operators.hierarchy.lookahead import AHEAD

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.dlp.network.lookahead import Lookahead
    from streams.train.levels import Above, Batch

TENTHS: Final = 10
_LOOKED: Final = (0, 1, 2, 4, AHEAD)
_FIRST_SEGMENT: Final = 512


@torch.no_grad()
def figures(above: Above, batches: Iterable[Batch], kept: Path) -> dict[str, Any]:
    """Figures of development streams.

    For each score and each tenth of the stream that had been read: AUPRC of the rarer answer and
    Brier score of the segment's own logits, and of those with the levels. For the topic classifier:
    average precision, best F1 and its threshold. For tags as the network gives them: macro F1 by
    how many tokens are known after each.

    Args:
        above: trained.
        batches: of development streams.
        kept: file for the logits by prefix, which calibration may be fitted on.
    """
    columns: list[list[NDArray[Any]]] = [[] for _ in range(5)]
    shifts, topics = [], []
    tallies = {known: SpanTally() for known in _LOOKED}
    for batch in batches:
        shift = above.shifts(batch)
        out = above.levels(batch.hidden, batch.scores, above.ends(batch, shift))
        there = batch.ends.there
        last = batch.ends.sentence[..., None] == torch.arange(there.shape[1], device=there.device)
        places = torch.stack((batch.ends.middle, last.cumsum(1).argmax(1)), -1)
        count = batch.valid.sum(1)[:, None, None].expand(places.shape)
        for column, part in zip(
            columns,
            (batch.scores, out.scores, batch.labels, places + 1, count),
            strict=True,
        ):
            column.append(part[there].flatten(0, 1).cpu().numpy())
        follows = there & (torch.arange(there.shape[1], device=there.device) > 1)
        shifts.append(shift[follows].cpu().numpy())
        topics.append(batch.ends.topic[follows].cpu().numpy())
        for known, tally in tallies.items():
            _tally(above.lookahead, batch, known, tally)
    segment, whole, labels, read, length = (np.concatenate(column) for column in columns)
    np.savez_compressed(
        kept, segment=segment, whole=whole, labels=labels > 0, read=read, length=length
    )
    truth, tenth = labels > 0, np.minimum((read - 1) * TENTHS // length, TENTHS - 1)
    return {
        "prefixes": _by_tenth(segment, whole, truth, tenth),
        "beyond_first_segment": {
            name: _compare(segment, whole, truth, place, read > _FIRST_SEGMENT)
            for place, name in enumerate(SCORES)
        },
        "topics": _topics(np.concatenate(shifts), np.concatenate(topics)),
        "tags": {str(known): _macro(tally) for known, tally in tallies.items()},
    }


def _by_tenth(
    segment: NDArray[np.floating],
    whole: NDArray[np.floating],
    truth: NDArray[np.bool_],
    tenth: NDArray[np.integer],
) -> dict[str, Any]:
    return {
        name: [_compare(segment, whole, truth, place, tenth == one) for one in range(TENTHS)]
        for place, name in enumerate(SCORES)
    }


def _compare(
    segment: NDArray[np.floating],
    whole: NDArray[np.floating],
    truth: NDArray[np.bool_],
    place: int,
    inside: NDArray[np.bool_],
) -> dict[str, float]:
    true = truth[inside, place]
    found: dict[str, float] = {"positives": int(true.sum()), "count": len(true)}
    for name, logits in (("segment", segment), ("levels", whole)):
        logit = logits[inside, place].astype(float)
        chance = 1 / (1 + np.exp(-logit))
        rare = (-logit, ~true) if 2 * true.sum() > len(true) else (logit, true)
        found[f"{name}_auprc"] = round(average_precision(*rare), 4)
        found[f"{name}_brier"] = round(float(((chance - true) ** 2).mean()), 5)
        found[f"{name}_ece"] = round(calibration_error(chance, true), 4)
    return found


def _topics(shifts: NDArray[np.floating], topics: NDArray[np.bool_]) -> dict[str, float]:
    order = np.argsort(-shifts)
    hits = topics[order].cumsum()
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + topics.sum())
    best = int(f1.argmax())
    even = shifts > 0
    return {
        "average_precision": round(average_precision(shifts, topics), 4),
        "f1": round(float(2 * (even & topics).sum() / (even.sum() + topics.sum())), 4),
        "best_f1": round(float(f1[best]), 4),
        "best_logit": round(float(shifts[order][best]), 3),
        "shifts": int(topics.sum()),
        "sentences": len(topics),
    }


def _tally(lookahead: Lookahead, batch: Batch, known: int, tally: SpanTally) -> None:
    logits = lookahead(batch.hidden, batch.spans, batch.seen.clamp(min=known, max=known))
    plain = batch.spans if known == 0 else logits
    tags = plain.argmax(-1).cpu().numpy()
    wanted, counts = batch.tags.cpu().numpy(), batch.valid.sum(1).tolist()
    for row, count in enumerate(counts):
        tally.add(from_tags(wanted[row, :count]), from_tags(tags[row, :count]))


def _macro(tally: SpanTally) -> dict[str, float]:
    summary = tally.summary()
    return {name: round(summary[f"macro_{name}_f1"], 4) for name in ("exact", "overlap")}
