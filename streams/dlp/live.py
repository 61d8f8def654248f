"""A scanner whose model and policy can be changed while it serves, and a candidate in its shadow.

A change is loaded and tried beside what serves, and takes over between two messages; what cannot be
loaded leaves everything as it was. A candidate scans the same messages, its verdicts are counted
and thrown away. Neither texts nor values are kept.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from operators.dlp.dsl import Message
from schemas.errors import WeirError
from streams.dlp.scanner import NEVER, Exits, Scanner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from operators.dlp.verdict import Verdict

    Stamp = frozenset[tuple[Path, int, int]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a scanner comes from.

    Attributes:
        model: folder of the model.
        policy: file of the policy.
        exits: when the model may stop early.
        providers: ONNX Runtime's execution providers, best first.
    """

    model: Path
    policy: Path
    exits: Exits = NEVER
    providers: Sequence[str] = ("CPUExecutionProvider",)

    def load(self) -> Scanner:
        """Load, and try that it works."""
        scanner = Scanner.load(self.model, self.policy, exits=self.exits, providers=self.providers)
        scanner.scan(Message("Nothing to see here."))
        return scanner

    def stamp(self) -> Stamp:
        """Changes when the files do, weights that come after their manifest included."""
        files = [self.policy, *(path for path in self.model.iterdir() if path.is_file())]
        stats = ((path, path.stat()) for path in files)
        return frozenset((path, found.st_mtime_ns, found.st_size) for path, found in stats)


class LiveScanner:
    """Scans with what was loaded last, and counts where a candidate disagrees.

    Args:
        sources: of what serves.
        shadow: of the candidate, or None.
        told: called with what could not be reloaded; by default nothing is.

    Raises:
        ModelUnusable: a model cannot be loaded.
        PolicyUnusable: a policy cannot be loaded.
    """

    def __init__(
        self,
        sources: Sources,
        shadow: Sources | None = None,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self._sources = sources
        self._stamp = sources.stamp()
        self.scanner = sources.load()
        self._shadow = None if shadow is None else shadow.load()
        self._told = told
        self._counting = threading.Lock()
        self.disagreements: Counter[str] = Counter()
        self.shadowed = 0

    def scan(self, message: Message, memory: NDArray[np.float32] | None = None) -> Verdict:
        """Scan with what serves; the candidate's verdict changes nothing but the counts."""
        verdict = self.scanner.scan(message, memory)
        if self._shadow is not None:
            other = self._shadow.scan(message, memory)
            with self._counting:
                self.shadowed += 1
                self.disagreements.update(_differences(verdict, other))
        return verdict

    def reload(self, **changes: Path) -> bool:
        """Load the sources again if they changed on disk, or other ones; whether that was done.

        Args:
            changes: ``model`` or ``policy``, to serve from elsewhere.

        Raises:
            ModelUnusable: the new model cannot be loaded; the old one goes on serving.
            PolicyUnusable: the same for the policy.
        """
        sources = replace(self._sources, **changes)  # type: ignore[arg-type]
        stamp = sources.stamp()
        if sources == self._sources and stamp == self._stamp:
            return False
        self.scanner = sources.load()
        self._sources, self._stamp = sources, stamp
        return True

    def watch(self, stopped: threading.Event, every_s: float = 2.0) -> None:
        """Reload whenever the files change, until stopped; to be run on a thread of its own."""
        while not stopped.wait(every_s):
            tried = self._stamp
            try:
                tried = self._sources.stamp()
                self.reload()
            except (WeirError, OSError) as error:
                # It is not tried again until it changes, be it while it was being loaded.
                self._stamp = tried
                if self._told is not None:
                    self._told(str(error))


def _differences(ours: Verdict, theirs: Verdict) -> list[str]:
    found = []
    if ours.decision is not theirs.decision:
        found.append(f"decision {ours.decision} -> {theirs.decision}")
    left = Counter((span.field, span.index, span.start, span.end, span.type) for span in ours.spans)
    right = Counter(
        (span.field, span.index, span.start, span.end, span.type) for span in theirs.spans
    )
    found += [f"span lost {place[-1]}" for place in (left - right).elements()]
    found += [f"span added {place[-1]}" for place in (right - left).elements()]
    return found
