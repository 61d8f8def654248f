"""Names, settings and folder of one run: nothing of an earlier run is met again."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from operators.fusion.config import CellConfig
from operators.sera.config import SeraConfig
from streams.demo.problems import DIMENSION
from streams.hierarchy.settings import HierarchySettings, StreamLogSettings
from streams.service.settings import HttpSettings
from streams.settings import EncryptionSettings, RegistrySettings, Settings, StreamSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import SecretStr

SHARDS = 2
CHECKPOINT_EVENTS = 1_000
"""More often than usual, so that a short run has checkpoints to restart from."""

LEARNER = CellConfig(
    # A window of 200 events and a narrower kernel than the defaults have: the rows come in random
    # order, so that what is near in time tells nothing, and what is near in features much. A narrow
    # kernel needs more random features for the same error. At the norm guard's radius of 3 the
    # exponents are N(-3/2, 3), of which a clip at 6 cuts 0.5 %.
    sera=SeraConfig(d=DIMENSION, r=1024, gamma=0.995, norm_radius=3.0, clip=6.0, prior=0.5)
)

_PASSWORDS = ("sasl_password", "ssl_key_password")


@dataclass(frozen=True)
class Stage:
    """Where a run takes place.

    Attributes:
        name: application id, and prefix of the topics.
        folder: what the run leaves behind.
        settings: of the run; ``broker.bootstrap`` as the user's settings have it.
    """

    name: str
    folder: Path
    settings: Settings

    @property
    def config_file(self) -> Path:
        """Settings file of the run."""
        return self.folder / "weir.toml"

    def environment(self) -> dict[str, str]:
        """Return the environment of the run's worker: settings file, and passwords beside it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        broker = self.settings.broker
        for name in _PASSWORDS:
            secret: SecretStr | None = getattr(broker, name)
            if secret is not None:
                kept[f"WEIR_BROKER__{name.upper()}"] = secret.get_secret_value()
        return kept | {"WEIR_CONFIG": str(self.config_file)}


def set_stage(base: Settings, *, talks: bool) -> Stage:
    """Make a folder with the settings of a fresh run.

    Args:
        base: gives broker, data folder and secret provider; the rest is the demonstration's own.
        talks: whether the worker reads streams of text as well.

    Raises:
        OSError: the folder cannot be made.
    """
    name = f"demo-{uuid4().hex[:6]}"
    folder = (base.data_dir / "demo" / name).absolute()
    folder.mkdir(parents=True)
    settings = base.model_copy(
        update={
            "application_id": name,
            "data_dir": base.data_dir.absolute(),
            "mapping": None,
            "topics": base.topics.model_copy(update={"prefix": f"{name}.", "partitions": SHARDS}),
            # A static member: the worker that replaces a killed one is given its shards at once.
            "stream": StreamSettings(
                checkpoint_events=CHECKPOINT_EVENTS, static_member="demo-worker"
            ),
            "learner": LEARNER,
            "http": HttpSettings(port=0),
            "registry": RegistrySettings(),
            "hierarchy": HierarchySettings(enabled=talks),
            "stream_logs": StreamLogSettings(directory=folder / "stream-logs"),
        }
    )
    if talks:
        # The state of streams cannot be encrypted.
        settings = settings.model_copy(update={"encryption": EncryptionSettings()})
    stage = Stage(name, folder, settings)
    secret = {"broker": set(_PASSWORDS)}
    values = settings.model_dump(mode="json", exclude_none=True, exclude=secret)
    stage.config_file.write_text("\n".join(toml_lines(values)) + "\n", encoding="utf-8")
    return stage


def toml_lines(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the lines of a TOML table of strings, numbers, booleans and tables."""
    tables = {name: value for name, value in table.items() if isinstance(value, dict)}
    if path and len(tables) < len(table):
        yield f"\n[{path}]"
    for name, value in table.items():
        if name not in tables:
            # What JSON writes of these is TOML, too.
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, inner in tables.items():
        yield from toml_lines(inner, f"{path}.{name}" if path else name)
