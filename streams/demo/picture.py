"""The view as a picture that any browser shows."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console

from streams.demo.view import WIDTH, render

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from streams.demo.scene import Scene, Screen


class KeepFrame:
    """Passes scenes on, and keeps the last frame that showed the stream in motion.

    Attributes:
        frame: that frame; None until there is one.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.frame: RenderableType | None = None

    def show(self, scene: Scene) -> None:
        """Show the scene."""
        self._screen.show(scene)
        if 0 < scene.sent < scene.total:
            self.frame = render(scene)


def save_picture(path: Path, frame: RenderableType) -> None:
    """Save a frame as SVG, as a terminal would show it.

    Raises:
        OSError: the file cannot be written.
    """
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(frame)
    svg = console.export_svg(title="weir demo")
    # A picture fetches nothing: without this font any other one of fixed width will do.
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")
