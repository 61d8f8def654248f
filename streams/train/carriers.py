"""Carrier text: prose, source code, configuration and logs that ship in installed packages.

The text is read where it lies (site-packages, /usr/share, unpacked packages) and never committed.
A source is one package; training and development sets share no source. `docs/dlp-carriers.md`
lists the sources that the shipped model saw, with their licences.
"""

from __future__ import annotations

import gzip
import html
import json
import lzma
import re
import zlib
from typing import TYPE_CHECKING, Final

from operators.dlp.generator.carrier import Carrier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

KINDS: Final = {
    "prose": (".txt", ".rst", ".md", ".html", ".htm", ".xml", ".pod", ".1", ".3", ".5", ".7", ".8"),
    "code": (
        *(".py", ".c", ".h", ".js", ".ts", ".pl", ".pm", ".sh", ".java", ".go", ".rb", ".cpp"),
        *(".hpp", ".cu", ".cuh", ".rs", ".css", ".cmake", ".pyi", ".pyx", ".test", ".sql"),
    ),
    "config": (
        *(".ini", ".toml", ".cfg", ".conf", ".yaml", ".yml", ".json", ".service", ".cnf"),
        *(".lock", ".properties", ".env"),
    ),
    "log": (".log", ".csv", ".tsv", ".result", ".out"),
}
_KIND_OF: Final = {ending: kind for kind, endings in KINDS.items() for ending in endings}
_PROSE_NAMES: Final = ("README", "LICENSE", "COPYING", "NEWS", "CHANGES", "copyright", "METADATA")
_LARGEST_FILE: Final = 400_000
_SMALLEST_FILE: Final = 400
_PIECE: Final = 6_000
_TAG: Final = re.compile(
    r"<(script|style|head|nav)\b.*?</\1>|<!--.*?-->|<[^>]{1,2000}>", re.DOTALL | re.IGNORECASE
)
_BREAK: Final = re.compile(
    r"</?(p|div|br|li|tr|h\d|pre|dt|dd|table|section)\b[^>]*>", re.IGNORECASE
)
_ROFF: Final = re.compile(r"^\.(?:\\\"|[A-Z]{2}|[a-z]{2})[^\n]*$|\\f[BIRP]|\\&", re.MULTILINE)
_BLANKS: Final = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_UNFIT: Final = re.compile(
    r"PRIVATE KEY-----|BEGIN PGP|non-?disclosure|\bNDA\b|trade secrets?\b|attorney.client"
    r"|confidential information"
    r"|(?:password|passwd|secret|api_?key|token)['\"]?\s*[:=]\s*b?['\"][^'\"\s]{6,}",
    re.IGNORECASE,
)


def read(roots: Iterable[tuple[Path, int]]) -> Iterator[Carrier]:
    """Carriers under each root, the given number of bytes at most from each source.

    A source is a folder right under its root. Files are taken in the order of a hash of their
    path, so that a source that is cut short is a sample of itself.
    """
    for root, most in roots:
        for source in sorted(path for path in root.iterdir() if path.is_dir()):
            taken, seen = 0, set[int]()
            files = [path for path in source.rglob("*") if path.is_file() and not path.is_symlink()]
            for path in sorted(files, key=lambda path: zlib.crc32(str(path).encode())):
                kind = _kind(path)
                if kind is None or taken >= most:
                    continue
                for text in _pieces(_text(path)):
                    mark = zlib.crc32(text[:400].encode())
                    if mark in seen:
                        continue
                    seen.add(mark)
                    taken += len(text)
                    yield Carrier(source.name, kind, text)
                    if taken >= most:
                        break


def save(carriers: Iterable[Carrier], path: Path) -> None:
    """Write carriers as compressed JSON lines."""
    with lzma.open(path, "wt", encoding="utf-8", preset=6) as out:
        for carrier in carriers:
            out.write(json.dumps(list(carrier), ensure_ascii=False) + "\n")


def load(path: Path) -> list[Carrier]:
    """Read what `save` wrote."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [Carrier(*json.loads(line)) for line in lines]


def _kind(path: Path) -> str | None:
    name = path.name.removesuffix(".gz")
    if name.startswith(_PROSE_NAMES):
        return "prose"
    ending = "." + name.rsplit(".", 1)[-1]
    return _KIND_OF.get(ending.lower()) if "." in name else None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if path.name.endswith(".gz"):
            data = gzip.decompress(data)
        if len(data) < _SMALLEST_FILE:
            return ""
        text = data[:_LARGEST_FILE].decode(
            "utf-8", "ignore" if len(data) > _LARGEST_FILE else "strict"
        )
    except (OSError, UnicodeDecodeError, EOFError, zlib.error):
        return ""
    name = path.name.removesuffix(".gz")
    if name.endswith((".html", ".htm", ".xml")):
        text = html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    elif re.search(r"\.[1-8]$", name):
        text = _ROFF.sub("", text)
    return _BLANKS.sub("\n\n", text.replace("\r\n", "\n"))


def _pieces(text: str) -> Iterator[str]:
    """The text in parts of some 6,000 code points, cut at line ends, without unfit lines."""
    lines = [line for line in text.splitlines() if not _UNFIT.search(line)]
    part: list[str] = []
    size = 0
    for line in lines:
        part.append(line[:2000].rstrip())
        size += len(part[-1]) + 1
        if size >= _PIECE:
            yield "\n".join(part)
            part, size = [], 0
    if size >= _SMALLEST_FILE:
        yield "\n".join(part)
