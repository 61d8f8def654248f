"""What a worker can run beside the learner: a topic of its own, its shards, and what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streams.shards import Shards


class Beside(Protocol):
    """A topic that a worker reads beside ``events``.

    Attributes:
        role: of the topic.
        table: name of the table that its shards keep.
        shards: those of this worker.
    """

    role: str
    table: str
    shards: Shards

    def load(self) -> None:
        """Load models, some seconds; before anything is assigned.

        Raises:
            ConfigError: model or policy cannot be used.
        """

    def start(self) -> None:
        """Start the threads that stand around the shards."""

    async def watch(self) -> None:
        """Do what the event loop must do from time to time, until cancelled."""

    def stop(self) -> None:
        """Stop the threads; units in flight go on."""

    def close(self) -> None:
        """Release what is left, once the shards are closed."""
