"""The levels above the tokens: serving computes what training does, and training learns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

pytestmark = pytest.mark.train

from operators.dlp.network.config import TINY  # noqa: E402
from operators.dlp.network.levels import Ends, level_loss, topic_loss  # noqa: E402
from operators.dlp.network.levels import Levels as TrainedLevels  # noqa: E402
from operators.dlp.network.lookahead import Lookahead as TrainedLookahead  # noqa: E402
from operators.dlp.network.model import Network  # noqa: E402
from operators.dlp.network.topics import Topics as TrainedTopics  # noqa: E402
from operators.dlp.tokenizer import Tokenizer  # noqa: E402
from operators.hierarchy.levels import (  # noqa: E402
    DOCUMENT,
    PARAGRAPH,
    SENTENCE,
    TOPIC,
    Levels,
    LevelWeights,
)
from operators.hierarchy.lookahead import AHEAD, Lookahead, LookaheadWeights  # noqa: E402
from operators.hierarchy.outline import HierarchyWeights, Outline  # noqa: E402
from operators.hierarchy.topics import Topics, TopicWeights  # noqa: E402
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
        made.head[2].weight.normal_()
    return made


def texts(seed: int, batch: int = 3, sentences: int = 9) -> tuple[Any, Any, Ends]:
    """Hidden states of texts cut into sentences, paragraphs, topics, and scores of segments."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, (batch, sentences))
    there = np.arange(sentences) < rng.integers(3, sentences + 1, batch)[:, None]
    numbers = np.full((batch, int(lengths.sum(1).max()) + 2), -1)
    middle = np.zeros((batch, sentences), int)
    for row in range(batch):
        found = np.repeat(np.arange(sentences)[there[row]], lengths[row][there[row]])
        numbers[row, : len(found)] = found
        before = np.cumsum(lengths[row]) - lengths[row]
        middle[row] = (before + rng.integers(0, lengths[row])) * there[row]
    hidden = torch.from_numpy(rng.normal(size=(*numbers.shape, TOKENS)).astype(np.float32))
    segments = torch.from_numpy(rng.normal(size=(batch, sentences, 2, 4)).astype(np.float32))
    topic = rng.random((batch, sentences)) < 0.3
    topic[:, :2] = False
    paragraph = rng.random((batch, sentences)) < 0.4
    document = rng.random((batch, sentences)) < 0.2
    parts = (numbers, middle, paragraph, topic, document, there)
    return hidden, segments, Ends(*(torch.from_numpy(part) for part in parts))


@pytest.mark.parametrize("seed", range(4))
def test_serving_computes_what_training_does(seed: int) -> None:
    """Scores and representations in and after each sentence, in any pieces."""
    made = trained(seed)
    weights = LevelWeights.from_arrays({k: v.numpy() for k, v in made.state_dict().items()})
    hidden, segments, ends = texts(seed)
    with torch.no_grad():
        out = made(hidden, segments, ends)
    for row in range(len(hidden)):
        levels = Levels(weights)
        for number in range(int(ends.there[row].sum())):
            levels = Levels(weights, levels.to_bytes())
            inside = ends.sentence[row] == number
            first = int(torch.argmax(inside.int()))
            of = hidden[row][inside].numpy()
            split = int(ends.middle[row, number]) - first + 1
            levels.tokens(of[:split])
            if number:
                read = levels.read(segments[row, number, 0].numpy())
                assert np.abs(read.scores - out.scores[row, number, 0].numpy()).max() < 1e-5
            levels.tokens(of[split:])
            if ends.topic[row, number]:
                levels.close(PARAGRAPH)
                levels.close(TOPIC)
            levels.close(SENTENCE)
            after = levels.read(segments[row, number, 1].numpy())
            assert np.abs(after.levels - out.levels[row, number].numpy()).max() < 1e-5
            assert np.abs(after.scores - out.scores[row, number, 1].numpy()).max() < 1e-5
            if ends.paragraph[row, number]:
                levels.close(PARAGRAPH)
            if ends.document[row, number]:
                levels.close(DOCUMENT)


def test_topics_serve_what_was_trained() -> None:
    """The chance of each sentence beginning another topic, in any pieces, from a saved state."""
    torch.manual_seed(2)
    made = TrainedTopics(TOKENS, 6, 8)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    weights = TopicWeights.from_arrays(
        {k: v.detach().numpy() for k, v in made.state_dict().items()}
    )
    hidden, _, ends = texts(4)
    with torch.no_grad():
        wanted = torch.sigmoid(made(hidden, ends.sentence, ends.there.shape[1])).numpy()
    for row in range(len(hidden)):
        topics = Topics(weights)
        for number in range(int(ends.there[row].sum())):
            topics = Topics(weights, topics.to_bytes())
            of = hidden[row][ends.sentence[row] == number].numpy()
            topics.tokens(of[:2])
            topics.tokens(of[2:])
            assert abs(topics.shift() - (wanted[row, number] if number > 1 else 0)) < 1e-5
            topics.close()


@pytest.mark.parametrize("known", [0, 3, AHEAD])
def test_lookahead_serves_what_was_trained(known: int) -> None:
    """Tags of the last token and of those before it, of which more is known."""
    torch.manual_seed(known)
    made = TrainedLookahead(TOKENS, 5, 7)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    arrays = {k: v.detach().numpy() for k, v in made.state_dict().items()}
    served = Lookahead(LookaheadWeights.from_arrays(arrays))
    hidden, spans = torch.randn(1, 20, TOKENS), torch.randn(1, 20, 21)
    with torch.no_grad():
        wanted = made(hidden, spans, torch.full((1, 20), known))[0].numpy()
    served.take(spans[0, :15].numpy(), hidden[0, :15].numpy())
    served.take(spans[0, 15:].numpy(), hidden[0, 15:].numpy())
    place = 19 - known
    assert np.abs(served.logits()[place] - wanted[place]).max() < 1e-4


def test_prefixes_and_topics_are_learnt() -> None:
    """Whether a sign has come so far is known at every prefix, and where the subject changes."""
    made, topics = trained(0), TrainedTopics(TOKENS, 8, 16)
    optimizer = torch.optim.AdamW([*made.parameters(), *topics.parameters()], lr=5e-3)
    losses = []
    for step in range(160):
        hidden, segments, ends = texts(step, batch=32)
        even = torch.arange(32) % 2 == 0
        sign = (ends.sentence == 2) & even[:, None]
        subject = ends.topic.int().cumsum(1) % 2
        of = torch.gather(subject, 1, ends.sentence.clamp(min=0))
        hidden[..., 0], hidden[..., 1] = 3.0 * sign, 3.0 * of
        come = (torch.arange(ends.there.shape[1]) >= 2) & even[:, None]
        labels = come.float()[..., None, None].expand(-1, -1, 2, 4)
        prefix = level_loss(made(hidden, 0 * segments, ends).scores, labels, ends.there)
        topic = topic_loss(topics(hidden, ends.sentence, ends.there.shape[1]), ends)
        optimizer.zero_grad()
        (prefix + topic).backward()
        optimizer.step()
        losses.append((float(prefix.detach()), float(topic.detach())))
    assert losses[-1][0] < 0.25 * losses[0][0]
    assert losses[-1][1] < 0.5 * losses[0][1]


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
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert len(figures["prefixes"]["sensitivity"]) == 10
    assert figures["topics"]["sentences"] > 0
    with np.load(tmp_path / "hierarchy.npz") as arrays:
        outline = Outline(HierarchyWeights.from_arrays(dict(arrays)), 0.5)
    outline.tokens(np.ones((3, TINY.width)))
    assert np.isfinite(outline.read(np.zeros(4)).scores).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_documents_say_where_things_end() -> None:
    """Tokens are in their sentences in order; topics begin where messages do; values only add."""
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
        assert (np.diff(one.labels[:count, :, 0].ravel()) >= 0).all()
        assert (one.sentence[one.places[:count, 1]] == np.arange(count)).all()
        assert (one.sentence[one.places[:count, 0]] == np.arange(count)).all()
