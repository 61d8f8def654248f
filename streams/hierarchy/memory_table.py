"""The table of a shard of tokens where there is none on disk: in memory, for as long as a run."""

from __future__ import annotations

from typing import Any


class MemoryTable(dict[bytes, bytes]):
    """A table in memory."""

    def items(self, prefix: bytes = b"") -> Any:
        """Records whose key starts with a prefix, in the order of keys."""
        return iter(sorted(pair for pair in super().items() if pair[0].startswith(prefix)))

    def write(self, changes: dict[bytes, bytes | None]) -> None:
        """Apply the changes of a unit of work."""
        for key, value in changes.items():
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value
