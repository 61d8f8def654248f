"""What the rest of the project sees of a broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class BrokerHandle:
    """A broker that answers.

    Attributes:
        kind: where it came from: an address that was given, docker, or a local process.
        bootstrap: address for clients; several with commas between.
        notes: what was passed over before it, and why; one line each, to be shown.
        stop: stops it; does nothing where the address was given, for that broker is not ours.
    """

    kind: Literal["address", "docker", "local"]
    bootstrap: str
    notes: tuple[str, ...]
    stop: Callable[[], None]


class CrashableBroker(Protocol):
    """A broker that tests may break. Nodes are numbered from 1."""

    @property
    def bootstrap(self) -> str:
        """Address for clients; it stays the same over ``kill`` and ``restart``."""

    def kill(self, node: int = 1) -> None:
        """Kill a node with SIGKILL, and wait until it is gone."""

    def restart(self, node: int = 1) -> None:
        """Start a node that was killed, and wait until it answers."""

    def pause(self, node: int = 1) -> None:
        """Freeze a node: its connections stay, but it answers nothing."""

    def resume(self, node: int = 1) -> None:
        """Let a frozen node go on."""
