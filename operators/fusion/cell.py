"""A cell: what one tenant's events in one shard have taught, and how the next changes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from operators.blocks import BLOCK_BYTES, NO_BLOCKS, all_blocks
from operators.errors import InvalidInput, StateMismatch
from operators.fusion import controller
from operators.fusion import layout as at
from operators.fusion.columns import checked, longest
from operators.fusion.config import CellConfig, FusionConfig
from operators.fusion.explanation import CellExplanation, explained
from operators.fusion.kernel_control import keep_controls
from operators.fusion.kernel_kept import kept_width
from operators.fusion.kernel_late import learn_late_events
from operators.fusion.kernel_step import step_events
from operators.fusion.outputs import FIELDS, STEP_DTYPE, Action, Status
from operators.hlm.kernels import UNKNOWN
from operators.hlm.model import Hlm
from operators.hlm.salts import SaltKey
from operators.seeds import Seeds
from operators.sera import margin as margin_at
from operators.sera.succession import SUCCESSION, SeraSuccession

if TYPE_CHECKING:
    from operators.batch import EventBatch
    from operators.sera.layout import Floats
    from operators.sera.sera import Readouts, Sera

__all__ = ["Cell", "CellConfig", "FusionConfig", "Seeds"]

State = Mapping[str, npt.NDArray[np.generic]]
Rows = npt.NDArray[Any]

_HLM = "hlm."
_SERA = "sera."
_NOTHING = np.zeros(0)
_NOTHING_KEPT = np.zeros((0, 0))
_BLANK = np.zeros(1, STEP_DTYPE)
_BLANK[list(FIELDS)] = np.nan


class Cell:
    """The learner of one tenant in one shard: Hlm, Sera, their fusion and its controller.

    ``step_batch`` is, to the bit, the loop of ``step`` over the same events, however they are cut
    into batches. A step is a function of the configuration, the seeds, the state and the event.

    One thread at a time, ``predict_batch`` included; kernels run without the GIL.

    Args:
        config: settings.
        seeds: 64-bit seeds and their versions; no part of the state.

    Attributes:
        config: settings.
        seeds: seeds.
    """

    def __init__(self, config: CellConfig, seeds: Seeds) -> None:
        self.config = config
        self.seeds = seeds
        self._hlm = Hlm(config.hlm, _salt_key(seeds))
        self._pair = SeraSuccession(config.sera, seeds.prf)
        self._margin = margin_at.allocate(config.sera, seeds.prf)
        self._params = at.fusion_params(config)
        self._control = at.control_params(config)
        self._tally = np.zeros(at.TALLY_WORDS)
        self._squares = np.zeros(config.sera.d_v)
        keep_controls(self._tally, controller.initial(self._control))
        self._last: np.void = _BLANK[0]
        # Copies of the small arrays as of the last report of changes.
        self._reported: dict[str, Floats] = {}

    @property
    def hlm(self) -> Hlm:
        """The linear half, to inspect: its weights include the fusion's own, under reserved ids."""
        return self._hlm

    @property
    def sera(self) -> Sera:
        """The attention half, to inspect and to query."""
        return self._pair.sera

    @property
    def kept_width(self) -> int:
        """Numbers of a step that a late label needs."""
        return kept_width(self.config.sera.d_v)

    @property
    def steps(self) -> int:
        """Steps done; quarantined events are none."""
        return int(self._tally[at.STEPS])

    def step_batch(self, batch: EventBatch, kept: Floats | None = None) -> Rows:
        """Predict and learn events in turn.

        Args:
            batch: ``n`` events, with vectors of the configured lengths.
            kept: float64[n, kept_width], to be filled with what ``learn_late`` will need of each
                event; None: nothing is kept.

        Returns:
            STEP_DTYPE[n]. A row with a status other than 0 is of a refused event, which changed
            nothing.

        Raises:
            InvalidInput: the columns do not fit together; nothing has changed.
            OutOfCapacity: an event has more new ids than Hlm may take; those before are learnt.
        """
        rows = self._run(batch, learn=True, kept=kept)
        done = np.flatnonzero(rows["status"] == 0)
        if done.size:
            self._last = rows[done[-1]].copy()
        return rows

    def learn_late(self, batch: EventBatch, kept: Floats) -> Rows:
        """Teach labels that came after their events had been stepped, in turn.

        Args:
            batch: ``n`` events as they were, each with its label now.
            kept: float64[n, kept_width], as ``step_batch`` filled it for these events.

        Returns:
            STEP_DTYPE[n], a step each: predictions are those that were made, with their errors.

        Raises:
            InvalidInput: the columns do not fit together, or an event has no label.
            OutOfCapacity: as ``step_batch``.
        """
        batch = checked(batch, self.config.sera.d, self.config.sera.d_v)
        self._check_kept(kept, batch.events)
        if not batch.has_label.all():
            raise InvalidInput("an event without a label teaches nothing late")
        rows = np.repeat(_BLANK, batch.events)
        scratch = self._scratch(batch)

        def learn_from(start: int) -> int:
            return learn_late_events(self._arrays(), scratch, batch, kept, rows, start)

        self._attend_until_done(learn_from, rows, scratch)
        return rows

    def step(self, event: EventBatch) -> np.void:
        """Predict and learn one event: a batch of one, and its row.

        Raises:
            InvalidInput: the columns do not fit together, or are not of one event.
            OutOfCapacity: the event has more new ids than Hlm may take.
        """
        if event.events != 1:
            raise InvalidInput(f"a step takes one event, not {event.events}")
        row: np.void = self.step_batch(event)[0]
        return row

    def predict_batch(self, batch: EventBatch) -> Rows:
        """What a step would predict for each event, all from the cell as it stands.

        Nothing is learnt or counted. Margin, rates and maxima are those before the event.

        Raises:
            InvalidInput: the columns do not fit together.
        """
        return self._run(batch, learn=False)

    def query(self, q: Floats, *, lowrank: bool = False) -> Readouts:
        """Readout of Sera for one query, float64[d], under the controls in force. Changes nothing.

        Its first component is the ``y_sera`` that a step with this query would have, to the bit,
        before it is kept within a probability's range where predictions are probabilities.

        Args:
            q: the query.
            lowrank: answer by the low-rank statistics; see ``Sera.query_batch``.

        Raises:
            InvalidInput: wrong length, or no low rank was configured.
            NonFiniteInput: NaN or infinity.
        """
        return self.sera.query_batch(
            q[np.newaxis],
            lowrank=lowrank,
            raised=float(self._tally[at.LAMBDA_STAR]) - self._control.lambda_star,
            beta_floor=float(self._tally[at.BETA_FLOOR]),
        )

    def explain(self, event: EventBatch) -> CellExplanation:
        """What each input adds to the prediction that a step would make. Changes nothing.

        Args:
            event: a batch of one.

        Raises:
            InvalidInput: the columns do not fit together, or are not of one event.
            InvalidInput: a step would refuse the event; the message names the status.
        """
        if event.events != 1:
            raise InvalidInput(f"an explanation is of one event, not of {event.events}")
        batch = checked(event, self.config.sera.d, self.config.sera.d_v)
        scratch = self._scratch(batch)
        rows = np.repeat(_BLANK, 1)
        step_events(self._arrays(), scratch, batch, rows, 0, 0, _NOTHING_KEPT)
        status = Status(int(rows[0]["status"]))
        if status is not Status.OK:
            raise InvalidInput(f"there is no prediction to explain: the event is {status.name}")
        linear = self._hlm.explain(batch.ids, batch.values)
        free = float(self._tally[at.G_MAX]) == self._control.g_max
        contexts, components = batch.ctx_ids.tolist(), self.config.sera.d_v
        square = float(self._tally[at.LABEL_SQUARE])
        scale = 1.0 if self.config.logistic else math.sqrt(square)
        return explained(
            linear, scratch, self._tally, self._params, contexts, components, free=free, scale=scale
        )  # fmt: skip

    def to_state(self) -> dict[str, npt.NDArray[np.generic]]:
        """The whole state as named flat arrays: views, to be copied before the next step."""
        return {
            **{_HLM + name: array for name, array in self._hlm.to_state().items()},
            **{_SERA + name: array for name, array in self._pair.to_state().items()},
            **self._small(),
        }

    @classmethod
    def from_state(cls, config: CellConfig, seeds: Seeds, arrays: State) -> Self:
        """The cell that ``to_state`` was asked of: it goes on bit for bit. Nothing of it is dirty.

        Args:
            config: settings; sizes and table constants must be those the state was saved with.
            seeds: the same seeds.
            arrays: all arrays of ``to_state``; copied.

        Raises:
            StateMismatch: arrays are missing, unknown, or do not fit the configuration or the salt.
        """
        cell = cls(config, seeds)
        if _SERA + SUCCESSION in arrays:
            # Another r than configured is another length of arrays.
            cell._pair = SeraSuccession.shaped(config.sera, seeds.prf, _part(arrays, _SERA))
            cell._margin = margin_at.allocate(cell.sera.config, seeds.prf)
        wanted = cell.to_state().keys()
        if wanted != arrays.keys():
            raise StateMismatch(
                f"the saved cell lacks {sorted(wanted - arrays.keys())} "
                f"and has unknown {sorted(arrays.keys() - wanted)}"
            )
        cell._hlm = Hlm.from_state(config.hlm, _salt_key(seeds), _part(arrays, _HLM))
        cell._pair = SeraSuccession.from_state(config.sera, seeds.prf, _part(arrays, _SERA))
        for name, target in cell._small().items():
            source = arrays[name]
            if source.dtype != target.dtype or source.shape != target.shape:
                raise StateMismatch(
                    f"{name!r} was saved as {source.dtype}{list(source.shape)}, "
                    f"this version has {target.dtype}{list(target.shape)}"
                )
            target[:] = source
        cell._forget_changes()
        return cell

    def take_dirty(self) -> dict[str, npt.NDArray[np.int64]]:
        """Numbers of the blocks of each array that changed since the last call, and forget them.

        Every block of a new cell's arrays is dirty, and every block that a rebuild of Hlm made.
        Sera's statistics decay with every ingested event, so they are dirty as a whole or not at
        all.
        """
        dirty = {_HLM + name: blocks for name, blocks in self._hlm.take_dirty().items()}
        dirty |= {_SERA + name: blocks for name, blocks in self._pair.take_dirty().items()}
        for name, array in self._small().items():
            same = np.array_equal(array, self._reported.get(name, _NOTHING))
            dirty[name] = NO_BLOCKS if same else all_blocks(array)
        self._forget_changes()
        return dirty

    def block_bytes(self, name: str) -> int:
        """Bytes of one block of the named array of the state.

        Raises:
            InvalidInput: there is no such array.
        """
        if name.startswith(_HLM):
            return self._hlm.block_bytes(name.removeprefix(_HLM))
        if name.startswith(_SERA):
            return self._pair.block_bytes(name.removeprefix(_SERA))
        if name not in self.to_state():
            raise InvalidInput(f"a cell has no state array {name!r}")
        return BLOCK_BYTES

    def describe(self) -> dict[str, float]:
        """Gauges for metrics: the last step's row, rolling errors, and the controls in force.

        What only a step's row tells is NaN until the first step after construction or restore.
        ``margin`` is that of the present epoch; ``alarms`` counts the epochs that ended below zero.
        """
        return {
            **{name: float(self._last[name]) for name in FIELDS},
            "rolling_error": float(self._tally[at.ERROR]),
            "rolling_error_hlm": float(self._tally[at.ERROR_HLM]),
            "rolling_error_sera": float(self._tally[at.ERROR_SERA]),
            "labelled": float(self._tally[at.LABELLED]),
            "margin": float(self._margin.tally[margin_at.MARGIN]),
            "alarms": float(self._margin.tally[margin_at.EPOCH]),
            "g_max": float(self._tally[at.G_MAX]),
            "delta_load": self._hlm.load,
            "hlm_generation": float(self._hlm.ack.ver_base),
            "hlm_waits": float(self._hlm.waits),
            "hlm_alarms": float(self._hlm.alarms),
            "hlm_refused_ids": float(self._hlm.not_learnt),
            "sera_residual_alarms": float(self.sera.health().residual_alarms),
            "sera_features": float(self.sera.config.r),
            "sera_temperature": self.sera.config.temperature,
            "sera_handover": float(self._pair.handover),
            "steps": float(self.steps),
        }

    def _run(self, batch: EventBatch, *, learn: bool, kept: Floats | None = None) -> Rows:
        config = self.config
        batch = checked(batch, config.sera.d, config.sera.d_v)
        rows = np.repeat(_BLANK, batch.events)
        scratch = self._scratch(batch)
        if kept is None:
            kept = _NOTHING_KEPT
        else:
            self._check_kept(kept, batch.events)

        def step_from(start: int) -> int:
            return step_events(self._arrays(), scratch, batch, rows, start, int(learn), kept)

        if learn:
            self._attend_until_done(step_from, rows, scratch)
        else:
            step_from(0)
        return rows

    def _attend_until_done(
        self, run_from: Callable[[int], int], rows: Rows, scratch: at.Scratch
    ) -> None:
        """Run a kernel over all rows; where it stops, see to Hlm or to Sera's succession."""
        done = 0
        while True:
            before = done
            done = run_from(before)
            acted = done > before and self._succeed(rows[done - 1])
            if done == len(rows):
                return
            if not acted:
                self._hlm.attend(int(scratch.slots[UNKNOWN]))

    def _check_kept(self, kept: Floats, events: int) -> None:
        wanted = (events, self.kept_width)
        if kept.shape != wanted or kept.dtype != np.float64 or not kept.flags.c_contiguous:
            raise InvalidInput(
                f"what is kept of steps is {kept.dtype}{list(kept.shape)}: must be contiguous "
                f"float64{list(wanted)}"
            )

    def _succeed(self, last: np.void) -> bool:
        """Propose a successor of Sera, or let it answer, if the last event's row says so."""
        actions = Action(int(last["actions"])) if last["status"] == 0 else Action(0)
        if Action.SERA_SUCCEEDED in actions:
            self._pair.hand_over()
            self._margin = margin_at.refer_anew(self._margin, self.sera.config)
        elif Action.SERA_PROPOSED in actions:
            better = self._pair.better()
            assert better is not None, "the kernel asks for none where there is none"
            self._pair.propose(better)
        return bool(actions & (Action.SERA_SUCCEEDED | Action.SERA_PROPOSED))

    def _scratch(self, batch: EventBatch) -> at.Scratch:
        features, contexts = longest(batch.indptr), longest(batch.ctx_indptr)
        return at.working_memory(self.config, features, contexts)

    def _arrays(self) -> at.CellArrays:
        pair = self._pair
        return at.CellArrays(
            hlm=self._hlm.arrays,
            sera=pair.sera.arrays,
            successor=(pair.successor or pair.sera).arrays,
            succession=pair.words,
            settled=self.config.sera.window if pair.better() is not None else -1,
            margin=self._margin,
            tally=self._tally,
            squares=self._squares,
            params=self._params,
            control=self._control,
        )

    def _small(self) -> dict[str, Floats]:
        """The small arrays of the state that are this class's own."""
        return {
            "margin.wealth": self._margin.wealth,
            "margin.counts": self._margin.counts,
            "margin.reference": self._margin.reference,
            "margin.tally": self._margin.tally,
            "fusion.tally": self._tally,
            "fusion.squares": self._squares,
        }

    def _forget_changes(self) -> None:
        self._reported = {name: array.copy() for name, array in self._small().items()}


def _salt_key(seeds: Seeds) -> SaltKey:
    return SaltKey(seeds.hash_salt, seeds.hash_version)


def _part(arrays: State, prefix: str) -> dict[str, npt.NDArray[np.generic]]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
