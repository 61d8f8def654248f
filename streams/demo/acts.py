"""What a run shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.demo.problems import Dataset


class Act(StrEnum):
    """An act of the demonstration, or both."""

    BOTH = "both"
    LEARNING = "learning"
    CONVERSATIONS = "conversations"


@dataclass(frozen=True)
class Plan:
    """What is wanted.

    Attributes:
        act: which act.
        dataset: what to stream in the first.
        rounds: how much of it, see ``traffic``.
        rate: messages a second of it.
        crash: whether to kill a worker on the way of each act.
    """

    act: Act
    dataset: Dataset
    rounds: int
    rate: float
    crash: bool

    @property
    def learns(self) -> bool:
        """Whether data sets are learnt."""
        return self.act is not Act.CONVERSATIONS

    @property
    def talks(self) -> bool:
        """Whether conversations are judged."""
        return self.act is not Act.LEARNING
