"""Rows that gave no event: counted, the first ones shown, all kept where a file is named."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Self, TextIO

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from streams.feed import RejectedRow

SHOWN = 5


class Rejects:
    """Takes rejected rows; a context manager.

    Args:
        path: file for them, JSON lines with line, reason, detail and (of text) the row itself;
            None: they are not kept.
        console: where the first ones are shown.

    Raises:
        ConfigError: the file cannot be made.
    """

    def __init__(self, path: Path | None, console: Console) -> None:
        self.counts: Counter[str] = Counter()
        self._console = console
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8")
            except OSError as error:
                raise ConfigError(
                    f"--rejects {path} cannot be written: {error.strerror}"
                ) from error

    @property
    def total(self) -> int:
        """How many rows were rejected."""
        return self.counts.total()

    def add(self, row: RejectedRow) -> None:
        """Take one rejected row."""
        self.counts[row.reason] += 1
        if self.total <= SHOWN:
            # The row itself is data, and stays out of terminals and build logs.
            text = f"line {row.line}: {row.reason}: {row.detail}"
            self._console.print(text, style="yellow", markup=False, soft_wrap=True)
        if self._file is not None:
            record = {
                "line": row.line,
                "reason": row.reason,
                "detail": row.detail,
                "row": None if row.raw is None else row.raw.decode("utf-8", "backslashreplace"),
            }
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
