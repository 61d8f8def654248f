"""What a witness keeps on disk: where it stands, what it cosigned, and evidence."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from schemas.errors import StateError
from state.audit.merkle import CompactRange
from state.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT: Final = 1


class WitnessedLog:
    """What a witness remembers of one log."""

    def __init__(self) -> None:
        self.edge = CompactRange()
        self.size = 0  # of the newest cosigned checkpoint
        self.root = b""
        self.note = ""
        self.forked = False
        # The topic was made anew and is read from its start: what was cosigned is to be confirmed.
        self.unconfirmed = False
        self.changed = False

    def to_plain(self) -> dict[str, Any]:
        """Give it as JSON can hold it."""
        return {
            "edge": base64.b64encode(self.edge.to_bytes()).decode(),
            "size": self.size,
            "root": self.root.hex(),
            "note": self.note,
            "forked": self.forked,
            "unconfirmed": self.unconfirmed,
            "changed": self.changed,
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> WitnessedLog:
        """Read what ``to_plain`` gave."""
        log = cls()
        log.edge = CompactRange.from_bytes(base64.b64decode(plain["edge"]))
        log.size, log.root = plain["size"], bytes.fromhex(plain["root"])
        log.note, log.forked = plain["note"], plain["forked"]
        log.unconfirmed, log.changed = plain["unconfirmed"], plain["changed"]
        return log


class WitnessMemory:
    """The folder of a witness, as far as one shard goes.

    Args:
        folder: the witness' own.
        shard: partition number.

    Attributes:
        logs: what is known of each log, by origin.
        checkpoints_from: offset of the next checkpoint to read.
        records_from: offset of the next record to read.
        identity: of the topics that these offsets are of; None before the first pass.

    Raises:
        StateError: what the folder holds cannot be read.
    """

    def __init__(self, folder: Path, shard: int) -> None:
        self._folder = folder
        self._path = folder / "state" / f"shard-{shard:05d}.json"
        self.logs: dict[str, WitnessedLog] = {}
        self.checkpoints_from = self.records_from = 0
        self.identity: str | None = None
        self._load()

    def log(self, origin: str) -> WitnessedLog:
        """Return what is known of a log; nothing of a new one."""
        return self.logs.setdefault(origin, WitnessedLog())

    def keep(self, origin: str, size: int, note: str) -> Path:
        """Write a cosigned note, and return where."""
        path = self._note_path(origin, size)
        write_whole(path, note)
        return path

    def cosigned(self, origin: str, size: int) -> str | None:
        """Return the note that was cosigned at a size, if there is one."""
        path = self._note_path(origin, size)
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def evidence(self, origin: str, size: int, kind: str, text: str) -> Path:
        """Write down what does not fit, and return where."""
        suffix = "json" if text.startswith("{") else "note"
        name = f"{quote(origin, safe='')}-{size:020d}-{kind.lower()}.{suffix}"
        path = self._folder / "evidence" / name
        write_whole(path, text)
        return path

    def save(self) -> None:
        """Write where the witness stands."""
        plain = {
            "format": _FORMAT,
            "checkpoints_from": self.checkpoints_from,
            "records_from": self.records_from,
            "identity": self.identity,
            "logs": {name: log.to_plain() for name, log in self.logs.items()},
        }
        write_whole(self._path, json.dumps(plain, ensure_ascii=False) + "\n")

    def _note_path(self, origin: str, size: int) -> Path:
        return self._folder / "cosigned" / quote(origin, safe="") / f"{size:020d}.note"

    def _load(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        try:
            plain = json.loads(text)
            if plain["format"] != _FORMAT:
                raise ValueError(f"format {plain['format']}")
            self.checkpoints_from = plain["checkpoints_from"]
            self.records_from = plain["records_from"]
            self.identity = plain["identity"]
            self.logs = {name: WitnessedLog.of_plain(log) for name, log in plain["logs"].items()}
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{self._path} is damaged or of another version ({error}): bring back a copy; "
                "without it the witness cannot tell whether the log was changed before today"
            ) from error
