"""Questions to a shard's cells: what the next event would meet. Nothing changes by being asked.

The functions here run on the shard's own turn (``streams.shard.questions``). An answer is computed
by the kernel that steps events, told not to learn, so it is to the bit what the next event with the
same parts would be predicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from operators.batch import EventBatch
from operators.errors import InvalidInput
from operators.fusion.kernels import P_MIN
from operators.fusion.outputs import QUARANTINE_STATUS
from schemas.errors import BadMessage, WeirError
from schemas.reasons import Reason
from streams.service.answers import (
    AsOf,
    Diagnostics,
    FuseAnswer,
    HlmAnswer,
    SeraAnswer,
    Versions,
)
from streams.shard.event_spans import WORD
from streams.shard.normal_form import OPTIONAL, normal_form

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.fusion.cell import Cell
    from streams.service.bodies import Event, FusePredict, HlmPredict, SeraQuery
    from streams.shard.engine import Engine
    from streams.shard.normal_form import NormalForm


class UnknownCell(WeirError):  # noqa: N818 - it names the condition
    """The tenant has no cell in the shard: no event of it has been stepped there."""

    exit_code = 65


class Place:
    """Where a question is asked, which the engine does not know.

    Args:
        topic: the source.
        epoch: how often the shard was set back.
    """

    def __init__(self, topic: str, epoch: int) -> None:
        self.topic = topic
        self.epoch = epoch

    def as_of(self, engine: Engine, tenant: str, cell: Cell) -> AsOf:
        """Say of which state an answer is."""
        chain = engine.chain(tenant)
        return AsOf(
            topic=self.topic,
            shard=engine.shard,
            offset=engine.next_offset or 0,
            step=cell.steps,
            epoch=self.epoch,
            tree_size=chain.size,
            chain_head=chain.head.hex(),
        )


def sera_query(engine: Engine, place: Place, body: SeraQuery) -> SeraAnswer:
    """Read the attention out.

    Raises:
        UnknownCell: the tenant has no cell here.
        BadMessage: the query is of another length, or no low rank is kept.
    """
    cell, row = _predicted(engine, body.tenant, body.event())
    try:
        readout = cell.query(np.array(body.query), lowrank=body.lowrank)
    except InvalidInput as error:
        raise BadMessage(Reason.BAD_FIELD, str(error)) from error
    first = float(readout.y[0, 0])
    if cell.config.logistic:
        first = min(max(first, P_MIN), 1.0 - P_MIN)
    return SeraAnswer(
        y_sera=first,
        readout=readout.y[0].tolist(),
        den=readout.den[0],
        rj_gap=readout.rj_gap[0],
        margin=row["margin"],
        ver_sera=row["ver_sera"],
        as_of=place.as_of(engine, body.tenant, cell),
    )


def hlm_predict(engine: Engine, place: Place, body: HlmPredict) -> HlmAnswer:
    """Predict with the linear model.

    Raises:
        UnknownCell: the tenant has no cell here.
        BadMessage: a step would refuse such an event.
    """
    cell, row = _predicted(engine, body.tenant, body.event())
    return HlmAnswer(
        **_values(row, "y_hlm", "ver_base", "ver_delta"),
        as_of=place.as_of(engine, body.tenant, cell),
    )


def fuse_predict(engine: Engine, place: Place, body: FusePredict) -> FuseAnswer:
    """Predict with all of the cell; errors as for ``hlm_predict``."""
    cell, row = _predicted(engine, body.tenant, body.event())
    return FuseAnswer(
        **_values(row, "y_hat", "y_sera", "y_hlm", "y_gate", "y_meta", "y_feature", "gate"),
        diagnostics=Diagnostics(**_values(row, "rj_gap", "margin", "den")),
        versions=Versions(**_values(row, "ver_sera", "ver_base", "ver_delta")),
        as_of=place.as_of(engine, body.tenant, cell),
    )


def _values(row: np.void, *names: str) -> dict[str, Any]:
    return {name: float(row[name]) for name in names}


def _predicted(engine: Engine, tenant: str, event: Event) -> tuple[Cell, np.void]:
    """Return a tenant's cell and the row that a step would begin with."""
    cell = engine.tenants.get(tenant)
    if cell is None:
        raise UnknownCell(
            f"shard {engine.shard} has stepped no event of this tenant: there is nothing to ask"
        )
    sera = cell.config.sera
    nothing = dict.fromkeys(OPTIONAL)
    parts = normal_form(nothing | event, engine.hasher(tenant), WORD * sera.d, WORD * sera.d_v)
    row = cell.predict_batch(_one(parts, sera.d, sera.d_v))[0]
    if row["status"]:
        raise BadMessage(QUARANTINE_STATUS[int(row["status"])], "a step would refuse such an event")
    return cell, row


def _one(parts: NormalForm, d: int, d_v: int) -> EventBatch:
    """Return the batch of one event without label."""
    ids = np.frombuffer(parts.features, "<u8").copy()
    contexts = np.frombuffer(parts.context, "<u8").copy()

    def vector(packed: bytes | None, length: int) -> npt.NDArray[np.float64]:
        filled = np.zeros(length) if packed is None else np.frombuffer(packed, "<f8").copy()
        return filled.reshape(1, length)

    def there(packed: bytes | None) -> npt.NDArray[np.uint8]:
        return np.full(1, packed is not None, np.uint8)

    return EventBatch(
        indptr=np.array([0, len(ids)], np.int64),
        ids=ids,
        values=np.frombuffer(parts.values, "<f8").copy(),
        time_us=np.zeros(1, np.int64),
        label=np.zeros(1),
        has_label=np.zeros(1, np.uint8),
        key=vector(parts.key, d),
        has_key=there(parts.key),
        query=vector(parts.query, d),
        has_query=there(parts.query),
        value=vector(parts.value, d_v),
        has_value=there(parts.value),
        ctx_indptr=np.array([0, len(contexts)], np.int64),
        ctx_ids=contexts,
    )
