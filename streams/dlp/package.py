"""The folder that a model is shipped in: its files, checked against its manifest.

manifest.json      version, size, and the SHA-256 of every other file
weights.bin        tensors of all graphs
segment-*.onnx     one segment of 128, 256, 384 or 512 tokens
unrolled-1024.onnx two segments of 512, the slow state carried
start.onnx         the slow state that a thread's memory starts a message in
layer-*.onnx       new tokens of texts that are still arriving, from one attention to the next
read.onnx          what such a text says as far as it has come
drive.onnx         what the tokens of a chunk see of the slow state before it
hierarchy.npz      what stands above the tokens of such texts (`streams.hierarchy.above`)
certainty.json     probabilities of what is said of them, by how much has been read
tokenizer.model    SentencePiece
calib.json         temperatures of the scores, least confidence of each tag
MODEL_CARD.md      data, figures, known failures
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import operators.dlp
from operators.dlp.calibration import Calibration
from streams.dlp.errors import ModelUnusable

FORMAT: Final = 1
SHIPPED: Final = Path(operators.dlp.__file__).with_name("model")
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Package:
    """A model on disk, its checksums verified.

    Attributes:
        folder: where its files are.
        version: of the model.
        size: ``base``, ``fast`` or ``tiny``.
        calibration: temperatures and least confidences.
        tokenizer: bytes of the SentencePiece model.
        digest: SHA-256 of the manifest, and so of every file.
    """

    folder: Path
    version: str
    size: str
    calibration: Calibration
    tokenizer: bytes
    digest: bytes

    @classmethod
    def open(cls, folder: Path = SHIPPED) -> Package:
        """Read and check a folder; some 30 MB are hashed.

        Raises:
            ModelUnusable: a file is missing, differs from the manifest, or has another format.
        """
        manifest = _json(folder / MANIFEST)
        if manifest.get("format") != FORMAT:
            raise ModelUnusable(
                f"{folder}: format {manifest.get('format')!r}, this version reads {FORMAT}. "
                "Install the release that the model belongs to"
            )
        for name, digest in manifest["files"].items():
            if _digest(folder / name) != digest:
                raise ModelUnusable(f"{folder / name} differs from its manifest: install it again")
        try:
            calibration = Calibration.from_json(_json(folder / "calib.json"))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelUnusable(f"{folder / 'calib.json'}: {error!r}") from error
        return cls(
            folder,
            manifest["version"],
            manifest["size"],
            calibration,
            (folder / "tokenizer.model").read_bytes(),
            bytes.fromhex(_digest(folder / MANIFEST)),
        )


def seal(folder: Path, version: str, size: str) -> None:
    """Write the manifest of a folder that is complete otherwise."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    manifest = {
        "format": FORMAT,
        "version": version,
        "size": size,
        "files": {path.name: _digest(path) for path in files},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{path}: {error}. Install the package again") from error


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnusable(f"{path}: {error}. Install the package again") from error
