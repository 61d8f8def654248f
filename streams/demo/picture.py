"""The view as a picture that any browser shows."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console, Group

from streams.demo.acts import Act
from streams.demo.view import WIDTH, render

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import RenderableType

    from streams.demo.scene import Scene, Screen


class KeepFrame:
    """Passes scenes on, and keeps the last frame of each act that showed it in motion.

    Attributes:
        frames: those frames, by act.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.frames: dict[Act, RenderableType] = {}

    def show(self, scene: Scene) -> None:
        """Show the scene."""
        self._screen.show(scene)
        if scene.is_streaming:
            self.frames[Act.LEARNING] = render(scene)
        elif scene.are_talking:
            self.frames[Act.CONVERSATIONS] = render(scene)


def save_picture(path: Path, frames: Iterable[RenderableType]) -> None:
    """Save frames as SVG, one below the other, as a terminal would show them.

    Raises:
        OSError: the file cannot be written.
    """
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Group(*frames))
    svg = console.export_svg(title="weir demo")
    # A picture fetches nothing: without this font any other one of fixed width will do.
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")
