"""Avro object container files: the schema is in the file, one record a row.

fastavro splits the file into blocks and unpacks them; the records of a block are decoded as
messages are. When one of them cannot be, the rest of its block is lost with it, since nothing says
where the next one begins; reading goes on with the next block.
"""

from __future__ import annotations

import lzma
import zlib
from itertools import count
from typing import IO, TYPE_CHECKING, Any, cast

import fastavro

from schemas.errors import BadMessage
from schemas.mapping.decode_avro import PARSE_ERRORS, AvroDecoder
from schemas.reasons import Reason
from schemas.sources.errors import UnreadableSource
from schemas.sources.rows import BadRow, Row, bad_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.sources.stream import ByteStream

MAX_BLOCK_BYTES = 256 * 1024 * 1024
"""A block is held in memory. Writers make them of some 16 kB to 4 MB; beyond this it is damage."""

_MAGIC = b"Obj\x01"
_BLOCK_ERRORS = (*PARSE_ERRORS, EOFError, OSError, zlib.error, lzma.LZMAError)


def avro_rows(stream: ByteStream) -> Iterator[Row | BadRow]:
    """Rows of an Avro object container file. ``line`` is the number of the record, from 1.

    Raises:
        UnreadableSource: it is no such file, its codec needs a library that is not installed, or it
            is damaged or cut off: what comes after cannot be found.
    """
    source = _Guarded(stream)
    decoder, blocks = _open(source)
    numbers = count()
    while (block := _next_block(source, blocks)) is not None:
        data = block.bytes_
        size = len(data.getvalue())
        if block.num_records > size:
            raise UnreadableSource(
                f"{stream.name} is damaged before byte {stream.bytes_read}: {size} bytes "
                f"cannot hold {block.num_records} records; write the file again"
            )
        for index in range(block.num_records):
            number = next(numbers)
            try:
                yield Row(number + 1, number, decoder.read(data), None)
            except BadMessage as error:
                lost = block.num_records - index - 1
                detail = f"{error.detail}; the {lost} records after it in its block are lost too"
                yield bad_row(number + 1, number, Reason(error.reason), detail, None)
                break
        else:
            if data.tell() != size:
                number = next(numbers)
                detail = f"{size - data.tell()} bytes are left after the last record of the block"
                yield bad_row(number + 1, number, Reason.TRAILING_BYTES, detail, None)


def _open(source: _Guarded) -> tuple[AvroDecoder, fastavro.block_reader]:
    try:
        source.check_magic()
        blocks = fastavro.block_reader(cast("IO[bytes]", source))
        decoder = AvroDecoder(blocks.metadata["avro.schema"])
    except _BLOCK_ERRORS as error:
        raise UnreadableSource(
            f"{source.name} cannot be read as an Avro object container file ({error}); "
            "give one, or name the format that it has"
        ) from error
    source.block_end = source.tell()
    return decoder, blocks


def _next_block(source: _Guarded, blocks: fastavro.block_reader) -> Any:
    try:
        block = next(blocks, None)
    except _BLOCK_ERRORS as error:
        raise UnreadableSource(
            f"{source.name} is damaged or cut off after byte {source.block_end} ({error}); "
            "the rows before that have been read. Write the file again"
        ) from error
    # Inside the number of a block's records, fastavro in plain Python takes the end for the end.
    if block is None and source.tell() != source.block_end:
        raise UnreadableSource(
            f"{source.name} is cut off after byte {source.block_end}; "
            "the rows before that have been read. Write the file again"
        )
    source.block_end = source.tell()
    return block


class _Guarded:
    """The stream as fastavro reads it: no length out of damaged bytes is believed blindly."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._ahead = b""
        self.name = stream.name
        self.block_end = 0

    def check_magic(self) -> None:
        """Raise ValueError unless the file begins as Avro files do; fastavro does not look."""
        self._ahead = self._stream.read(len(_MAGIC))
        if self._ahead != _MAGIC:
            raise ValueError("it does not begin with the magic bytes of one")

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_BLOCK_BYTES:
            raise ValueError(f"{size} bytes are announced, {MAX_BLOCK_BYTES} are the most")
        ahead, self._ahead = self._ahead[:size], self._ahead[size:]
        return ahead + self._stream.read(size - len(ahead)) if size > len(ahead) else ahead

    def tell(self) -> int:
        return self._stream.tell() - len(self._ahead)
