"""The levels above the tokens: serving computes what training does, and training learns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

pytestmark = pytest.mark.train

from operators.dlp.network.config import TINY  # noqa: E402
from operators.dlp.network.levels import Ends, level_loss  # noqa: E402
from operators.dlp.network.levels import Levels as TrainedLevels  # noqa: E402
from operators.dlp.network.model import Network  # noqa: E402
from operators.dlp.tokenizer import Tokenizer  # noqa: E402
from operators.hierarchy.levels import PARAGRAPH, SENTENCE, TOPIC, Levels, Weights  # noqa: E402
from streams.dlp import development  # noqa: E402
from streams.dlp.package import SHIPPED  # noqa: E402
from streams.train import checkpoint  # noqa: E402
from streams.train import levels as levels_run  # noqa: E402
from streams.train.levels_data import documents  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

TOKENS, WIDTH = 12, 16


def trained(seed: int) -> TrainedLevels:
    """Levels with weights that all count."""
    torch.manual_seed(seed)
    made = TrainedLevels(TOKENS, WIDTH)
    with torch.no_grad():
        made.queries.mul_(40)
    return made


def texts(seed: int, batch: int = 3, sentences: int = 9) -> tuple[Any, Ends]:
    """Hidden states of texts of different lengths, cut into sentences, paragraphs and topics."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, (batch, sentences))
    there = np.arange(sentences) < rng.integers(3, sentences + 1, batch)[:, None]
    numbers = np.full((batch, int(lengths.sum(1).max()) + 2), -1)
    for row in range(batch):
        found = np.repeat(np.arange(sentences)[there[row]], lengths[row][there[row]])
        numbers[row, : len(found)] = found
    hidden = torch.from_numpy(rng.normal(size=(*numbers.shape, TOKENS)).astype(np.float32))
    topic = rng.random((batch, sentences)) < 0.3
    topic[:, 0] = False
    paragraph = rng.random((batch, sentences)) < 0.4
    flags = (torch.from_numpy(flag) for flag in (paragraph, topic, there))
    return hidden, Ends(torch.from_numpy(numbers), *flags)


@pytest.mark.parametrize("seed", range(4))
def test_serving_computes_what_training_does(seed: int) -> None:
    """Scores, representations and topic shifts at each sentence's end, in any pieces."""
    made = trained(seed)
    weights = Weights.from_arrays({k: v.numpy() for k, v in made.state_dict().items()})
    hidden, ends = texts(seed)
    with torch.no_grad():
        out = made(hidden, ends)
    for row in range(len(hidden)):
        levels = Levels(weights)
        for number in range(int(ends.there[row].sum())):
            levels = Levels(weights, levels.to_bytes())
            of = hidden[row][ends.sentence[row] == number].numpy()
            levels.tokens(of[:2])
            levels.tokens(of[2:])
            wanted = torch.sigmoid(out.shifts[row, number])
            assert number == 0 or abs(levels.shift() - float(wanted)) < 1e-5
            if ends.topic[row, number]:
                levels.close(PARAGRAPH)
                levels.close(TOPIC)
            before = levels.read() if not ends.topic[row, number] else None
            levels.close(SENTENCE)
            after = levels.read()
            assert np.abs(after.levels - out.levels[row, number].numpy()).max() < 1e-5
            assert np.abs(after.scores - out.scores[row, number].numpy()).max() < 1e-5
            assert before is None or np.allclose(before.scores, after.scores)
            if ends.paragraph[row, number]:
                levels.close(PARAGRAPH)


def test_prefixes_and_topics_are_learnt() -> None:
    """Whether a sign has come so far is known at every prefix, and where the subject changes."""
    made = trained(0)
    optimizer = torch.optim.AdamW(made.parameters(), lr=5e-3)
    losses = []
    for step in range(160):
        hidden, ends = texts(step, batch=32)
        sign = (ends.sentence == 2) & (torch.arange(32) % 2 == 0)[:, None]
        subject = ends.topic.int().cumsum(1) % 2
        of = torch.gather(subject, 1, ends.sentence.clamp(min=0))
        hidden[..., 0], hidden[..., 1] = 3.0 * sign, 3.0 * of
        come = (torch.arange(ends.there.shape[1]) >= 2) & (torch.arange(32) % 2 == 0)[:, None]
        labels = come.float()[..., None].expand(-1, -1, 4)
        loss, parts = level_loss(made(hidden, ends), labels, ends)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append({name: float(part) for name, part in parts.items()})
    assert losses[-1]["prefix"] < 0.25 * losses[0]["prefix"]
    assert losses[-1]["topic"] < 0.5 * losses[0]["topic"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_levels_are_trained_from_start_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents, a frozen tiny network, training, figures, and weights that serving loads."""
    pytest.importorskip("faker", reason="the train extra is not installed")
    torch.manual_seed(1)
    pieces = checkpoint.export(Network(TINY), tmp_path, "tiny")
    arguments = ["levels", "--pieces", ",".join(map(str, pieces)), "--out", str(tmp_path)]
    sizes = ["--size", "tiny", "--steps", "3", "--rows", "4", "--width", "16", "--dev", "1"]
    monkeypatch.setattr("sys.argv", arguments + sizes)
    levels_run.main()
    figures = json.loads((tmp_path / "levels.jsonl").read_text().splitlines()[-1])
    assert len(figures["sensitivity"]) == 10
    with np.load(tmp_path / "levels.npz") as arrays:
        levels = Levels(Weights.from_arrays(dict(arrays)))
    levels.tokens(np.ones((3, TINY.width)))
    assert np.isfinite(levels.read().scores).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_documents_say_where_things_end() -> None:
    """Tokens are in their sentences in order; topics begin where messages do; labels only grow."""
    pytest.importorskip("faker", reason="the train extra is not installed")
    train, _ = development.both(None, Tokenizer((SHIPPED / "tokenizer.model").read_bytes()))
    made = documents(train, 3, 24)
    assert np.array_equal(documents(train, 3, 24)[5].labels, made[5].labels)
    assert sum(int(one.topic.sum()) for one in made) >= 5
    for one in made:
        count = int(one.there.sum())
        assert one.there[:count].all()
        inside = one.sentence[one.ids != 0]
        assert (np.diff(inside) >= 0).all()
        assert inside.max() == count - 1
        assert (one.sentence[one.ids == 0] == -1).all()
        assert (np.diff(one.labels[:count, 0]) >= 0).all()
