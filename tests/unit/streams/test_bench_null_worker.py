"""The worker that learns nothing does everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operators.fusion.cell import Cell
from schemas.codec import Codec
from state.secrets import FileSecrets
from streams.bench.events import TENANT, make_events
from streams.bench.null_worker import ROWS, NullCell
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.messages import build_codecs
from streams.settings import load_settings
from streams.shard.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from streams.shard.unit import UnitOfWork

EVENTS = 600


@pytest.fixture
def units(tmp_path: Path) -> dict[type[Cell], UnitOfWork]:
    """One unit of work over the same events, by what learns."""
    FileSecrets.initialise(tmp_path / "secrets")
    settings = load_settings(data_dir=tmp_path, broker={"bootstrap": "nowhere:9092"})
    records = [
        Record(offset, 0, event.key, event.value)
        for offset, event in enumerate(make_events(EVENTS, 1))
    ]

    def unit(cell_type: type[Cell]) -> UnitOfWork:
        engine = Engine(
            0,
            settings.learner,
            CellKeys.open(settings),
            build_codecs(settings),
            application_id="bench",
            source_topic="events",
            max_event_bytes=settings.stream.max_event_bytes,
            max_tenants=settings.stream.max_tenants,
            cell_type=cell_type,
        )
        made = engine.process(records)
        engine.add_checkpoint(made)
        assert engine.chain(TENANT).size == EVENTS
        return made

    return {kind: unit(kind) for kind in (Cell, NullCell)}


def test_outputs_are_as_many_and_as_large(units: dict[type[Cell], UnitOfWork]) -> None:
    """What is encoded, audited and committed is what the learner's would be, to a few bytes."""
    null, real = units[NullCell].outputs, units[Cell].outputs

    for role in ("predictions", "audit"):
        sizes = [sum(len(value) for _, value in unit[role]) / EVENTS for unit in (null, real)]
        assert len(null[role]) == len(real[role]) == EVENTS
        assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def test_outputs_do_not_repeat_within_a_unit(units: dict[type[Cell], UnitOfWork]) -> None:
    """Records that repeat would compress better than a learner's."""
    assert ROWS >= EVENTS
    decode = Codec("prediction").decode
    predictions = [decode(message["value"]) for message in units[NullCell].outputs["predictions"]]
    assert len({prediction["y_hat"] for prediction in predictions}) == EVENTS


def test_its_state_is_checkpointed_too(units: dict[type[Cell], UnitOfWork]) -> None:
    """The first checkpoint writes a new cell's arrays, as the learner's does before it grows."""
    null, real = units[NullCell], units[Cell]

    assert null.is_checkpoint
    assert null.state.keys() <= real.state.keys()
    assert sum(len(value or b"") for value in null.state.values()) > 10_000
