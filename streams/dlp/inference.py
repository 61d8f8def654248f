"""ONNX Runtime on the shipped graphs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnxruntime

from operators.dlp.segments import LENGTHS
from streams.dlp.errors import ModelUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class Outputs(NamedTuple):
    """What one segment gives; float32.

    Attributes:
        scores: document logits, [4].
        spans: tag logits, [length, 21].
        memory: [256].
        states: slow state after each chunk, [chunks, blocks, width].
    """

    scores: NDArray[np.float32]
    spans: NDArray[np.float32]
    memory: NDArray[np.float32]
    states: NDArray[np.float32]


class Engine:
    """The graphs of one model. Safe to call from several threads.

    Args:
        folder: of the model.
        providers: ONNX Runtime's execution providers, best first.
        threads: of one call.
    """

    def __init__(
        self,
        folder: Path,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 1,
    ) -> None:
        missing = set(providers) - set(onnxruntime.get_available_providers())
        if missing:
            raise ModelUnusable(
                f"execution providers {', '.join(sorted(missing))} are not in this build of ONNX "
                f"Runtime: there are {', '.join(onnxruntime.get_available_providers())}"
            )
        self._folder = folder
        self._providers = list(providers)
        self._threads = threads
        self._sessions: dict[str, Any] = {}

    def run(self, ids: NDArray[np.int64], state: NDArray[np.float32]) -> Outputs:
        """One segment.

        Args:
            ids: [1, 128, 256, 384 or 512], padded with 0.
            state: slow state before it, [blocks, width].
        """
        session = self.session(f"segment-{ids.shape[1]}.onnx")
        found = session.run(None, {"ids": ids, "mask": ids != 0, "state": state[None]})
        return Outputs(*(value[0] for value in found))

    def start(self, memory: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """The state before a message, [blocks, width], from its thread's memory, [256]."""
        if memory is None:
            return self._fresh
        return self._started(memory)

    def warm(self) -> None:
        """Load every graph and run it once."""
        for length in LENGTHS:
            self.run(np.full((1, length), 3, np.int64), self._fresh)

    @cached_property
    def _fresh(self) -> NDArray[np.float32]:
        width = self.session("start.onnx").get_inputs()[0].shape[1]
        return self._started(np.zeros(width, np.float32))

    def _started(self, memory: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.session("start.onnx").run(
            None, {"memory": memory.astype(np.float32)[None]}
        )[0][0]
        return found

    def session(self, name: str) -> Any:
        """ONNX Runtime's session for a graph of the model, opened when it is first asked for.

        Raises:
            ModelUnusable: the graph cannot be loaded.
        """
        if name not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            try:
                self._sessions[name] = onnxruntime.InferenceSession(
                    self._folder / name, options, providers=self._providers
                )
            except Exception as error:  # ONNX Runtime's errors share no base class
                raise ModelUnusable(f"{self._folder / name} cannot be loaded: {error}") from error
        return self._sessions[name]
