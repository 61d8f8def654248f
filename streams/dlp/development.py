"""Generated messages from what is installed: names from Faker, carrier texts from packages.

Where a folder of packed pools and carriers is given (`python -m streams.train.prepare`), these are
read; else both are drawn, in about a minute.
"""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from operators.dlp.generator.carrier import Carrier
    from operators.dlp.generator.pools import Pools
    from operators.dlp.generator.rows import Source
    from operators.dlp.tokenizer import Tokenizer

_SITE: Final = 300_000
_DOC: Final = 60_000


def require(module: str, what: str) -> None:
    """Say what is missing, and how it is installed.

    Raises:
        ConfigError: the module is not there.
    """
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"{what} needs {module}: pip install 'weir[train]'")


def material(data: Path | None) -> tuple[Pools, list[Carrier]]:
    """Names and carrier texts, of both sides of the split.

    Args:
        data: folder with ``pools.xz`` and ``carriers.xz``, or None: drawn here.

    Raises:
        ConfigError: Faker is not installed, or the folder has no such files.
    """
    require("faker", "generating messages")
    from streams.train import carriers, pools  # noqa: PLC0415 - only where asked for

    if data is None:
        roots = [(Path(sysconfig.get_paths()["purelib"]), _SITE), (Path("/usr/share/doc"), _DOC)]
        return pools.draw(), list(carriers.read(root for root in roots if root[0].is_dir()))
    for name in ("pools.xz", "carriers.xz"):
        if not (data / name).is_file():
            raise ConfigError(
                f"{data / name} is not there: python -m streams.train.prepare makes it"
            )
    return pools.load(data / "pools.xz"), carriers.load(data / "carriers.xz")


def both(data: Path | None, tokenizer: Tokenizer) -> tuple[Source, Source]:
    """Messages of the training side and of the development side.

    Args:
        data: as for `material`.
        tokenizer: turns text into ids.

    Raises:
        ConfigError: Faker is not installed, or the folder has no such files.
    """
    drawn, texts = material(data)
    from operators.dlp.generator.library import Library  # noqa: PLC0415 - only where asked for
    from operators.dlp.generator.rows import Source  # noqa: PLC0415 - the same

    train, dev = (
        Source(drawn.side(dev=side), Library(texts, dev=side), tokenizer) for side in (False, True)
    )
    return train, dev
