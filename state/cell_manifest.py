"""The manifest of an array: what is needed to build it again from its blocks.

Little-endian: format (u8), elements (u64), block bytes (u32), then the dtype in utf-8: what
``np.lib.format.dtype_to_descr`` gives, as JSON (``"<f8"``, or a list of fields).
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from schemas.errors import StateError
from state.cell_keys import MAX_BLOCKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BLOCK_BYTES: Final = 512 * 1024
"""Largest block: half of Kafka's default message limit, which leaves room for key and headers."""

_FORMAT: Final = 1
_HEADER: Final = struct.Struct("<BQI")


class Manifest(NamedTuple):
    """Layout of one array in the store.

    Attributes:
        dtype: of its elements; without Python objects.
        elements: their number; the array is stored flat.
        block_bytes: bytes of every block but the last, which ends with the array.
    """

    dtype: np.dtype[Any]
    elements: int
    block_bytes: int

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array."""
        return self.elements * self.dtype.itemsize

    @property
    def blocks(self) -> int:
        """Blocks that the array has; none if it is empty."""
        return -(-self.nbytes // self.block_bytes)

    def encode(self) -> bytes:
        """Value of the record at `manifest_key`."""
        descr = json.dumps(np.lib.format.dtype_to_descr(self.dtype))
        return _HEADER.pack(_FORMAT, self.elements, self.block_bytes) + descr.encode()


def manifest_of(name: str, array: NDArray[Any], block_bytes: int) -> Manifest:
    """Manifest of a live array.

    Args:
        name: of the array; for the message of an error.
        array: any shape, C-contiguous.
        block_bytes: 1 to `MAX_BLOCK_BYTES`.

    Raises:
        StateError: the array or the block size cannot be stored.
    """
    manifest = Manifest(array.dtype, array.size, block_bytes)
    if fault := _fault(manifest):
        raise StateError(f"array {name!r} cannot be stored: {fault}")
    return manifest


def decode_manifest(tenant: str, name: str, value: bytes) -> Manifest:
    """Read a manifest record.

    Args:
        tenant: whose array it is; for the message of an error.
        name: of the array; for the same.
        value: the record.

    Raises:
        StateError: the value is damaged or of a format that this version does not read.
    """
    where = f"state of tenant {tenant!r}: manifest of array {name!r}"
    if value[:1] != bytes((_FORMAT,)):
        raise StateError(
            f"{where} has format {value[:1].hex() or 'nothing'}, this version reads {_FORMAT}: "
            "run the version that wrote it, or start from an empty changelog"
        )
    try:
        _, elements, block_bytes = _HEADER.unpack_from(value)
        descr = _with_tuples(json.loads(value[_HEADER.size :]))
        manifest = Manifest(np.lib.format.descr_to_dtype(descr), elements, block_bytes)
    except (struct.error, ValueError, TypeError) as error:
        raise _damaged(where, str(error)) from error
    if fault := _fault(manifest):
        raise _damaged(where, fault)
    return manifest


def _damaged(where: str, what: str) -> StateError:
    return StateError(
        f"{where} is damaged: {what}; delete the state folder, it will be restored from the "
        "changelog"
    )


def _fault(manifest: Manifest) -> str | None:
    """Why an array of this layout cannot be stored; None if it can."""
    dtype, _, block_bytes = manifest
    if not _is_plain(dtype):
        return (
            f"the bytes of dtype {dtype} do not tell it whole; use one without Python objects, "
            "its fields in the order of their offsets"
        )
    if not 1 <= block_bytes <= MAX_BLOCK_BYTES:
        return f"blocks of {block_bytes} bytes; 1 to {MAX_BLOCK_BYTES} fit a message"
    if manifest.blocks > MAX_BLOCKS:
        return (
            f"{manifest.blocks} blocks of {block_bytes} bytes; {MAX_BLOCKS} can be numbered, "
            "use larger ones"
        )
    return None


def _is_plain(dtype: np.dtype[Any]) -> bool:
    try:
        np.lib.format.dtype_to_descr(dtype)
    except ValueError:  # fields overlap or are out of order
        return False
    return dtype.itemsize > 0 and not dtype.hasobject


def _with_tuples(descr: Any) -> Any:
    """JSON has no tuples; NumPy insists on them for fields, their titles and shapes."""
    if not isinstance(descr, list):
        return descr
    return [
        (
            tuple(name) if isinstance(name, list) else name,
            _with_tuples(kind),
            *(tuple(shape) for shape in rest),
        )
        for name, kind, *rest in descr
    ]
