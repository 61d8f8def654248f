"""Files of encoded records: Avro object containers that any Avro tool reads.

The records are encoded already, so a batch of them becomes a block of the container as it is.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple, Self

from fastavro.write import Writer

from schemas.errors import ConfigError
from schemas.registry import SchemaName, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class _Block(NamedTuple):
    """What fastavro writes as one block of a container."""

    num_records: int
    bytes_: BytesIO


class ContainerFile:
    """A new container file; a context manager.

    Args:
        path: file to make, its folder too.
        schema: of the records.
        metadata: further entries of the file's header.

    Raises:
        ConfigError: the file exists or cannot be made.
    """

    def __init__(
        self, path: Path, schema: SchemaName, metadata: Mapping[str, str] | None = None
    ) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb")
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be made: {error.strerror}; name an empty folder"
            ) from error
        self._writer = Writer(self._file, load(schema).parsed, metadata=dict(metadata or {}))

    def append(self, values: Sequence[bytes]) -> None:
        """Write encoded records, without wire header, as one block."""
        if values:
            self._writer.write_block(_Block(len(values), BytesIO(b"".join(values))))

    def close(self) -> None:
        """Finish the file."""
        self._writer.flush()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
