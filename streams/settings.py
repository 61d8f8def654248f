"""Settings of a worker and of the commands around it.

Read, later ones winning, from the defaults here, a TOML file (``weir.toml`` in the working folder,
or the file named by ``--config`` or ``WEIR_CONFIG``), the environment
(``WEIR_STREAM__GATHER_MS=50``) and the command line. Secrets are no settings: they come from the
secret provider named here.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from operators.fusion.config import CellConfig
from operators.hierarchy.pace import PaceConfig
from schemas.errors import ConfigError
from streams.gate.settings import MessageSettings
from streams.hierarchy.settings import HierarchySettings, StreamLogSettings
from streams.section import Positive, Section, existing_file
from streams.service.settings import HttpSettings, ScannerSettings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DEFAULT_CONFIG_FILE = Path("weir.toml")

PREFIX = "WEIR_"
OTHER_VARIABLES = frozenset({"WEIR_CONFIG"})

# Kubernetes tells each container of a Service named "weir" in such variables.
SERVICE_LINK = re.compile(r"WEIR_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\d+_(TCP|UDP)\w*)?)")


class BrokerSettings(Section):
    """How every client reaches Kafka."""

    bootstrap: str | None = Field(
        default=None, description="host:port[,host:port]; none: docker or the local broker"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_file: Path | None = None
    ssl_certificate_file: Path | None = None
    ssl_key_file: Path | None = None
    ssl_key_password: SecretStr | None = None

    @field_validator("ssl_ca_file", "ssl_certificate_file", "ssl_key_file")
    @classmethod
    def _is_a_file(cls, path: Path | None) -> Path | None:
        return existing_file(path)

    @model_validator(mode="after")
    def _credentials_are_complete(self) -> BrokerSettings:
        if self.security_protocol.startswith("SASL") and not (
            self.sasl_username and self.sasl_password
        ):
            raise ValueError(
                f"broker.security_protocol is {self.security_protocol}: "
                "set broker.sasl_username and broker.sasl_password"
            )
        return self


class TopicSettings(Section):
    """Names and shape of the topics; a shard is a partition of ``events``."""

    prefix: str = Field(default="", description="put before every topic name")
    events: str | None = Field(
        default=None, description="an existing topic to read, if it is not called <prefix>events"
    )
    framing: Literal["single-object", "bare"] = Field(
        default="single-object",
        description="what stands before a record where there is no registry: Avro's single-object "
        "header with the schema's fingerprint, or nothing; both are read",
    )
    partitions: Positive = Field(default=4, description="shards, where the topics are made by Weir")
    replication: Positive | None = Field(
        default=None, description="copies of the topics that Weir makes; default: the brokers' own"
    )

    def name(self, role: str) -> str:
        """Return the topic that plays a role, such as ``events`` or ``audit``."""
        if role == "events" and self.events is not None:
            return self.events
        return self.prefix + role


class StreamSettings(Section):
    """Cadences and bounds of the stream."""

    gather_ms: int = Field(
        default=20,
        ge=0,
        description="least time between the starts of two units of work of a shard",
    )
    max_unit_events: Positive = Field(default=4_000, description="most events in a unit of work")
    max_buffered_events: Positive = Field(
        default=20_000, description="events a shard may hold before it asks the fetcher to wait"
    )
    checkpoint_events: Positive = Field(
        default=20_000, description="events between two checkpoints of a shard's state"
    )
    max_event_bytes: Positive = Field(
        default=1_000_000, description="larger events are quarantined unread"
    )
    max_tenants: Positive = Field(
        default=1_000,
        description="tenants a shard may hold; events of further ones are quarantined",
    )
    transaction_timeout_s: Positive = Field(
        default=90, description="an open transaction of a worker that hangs is aborted after this"
    )
    session_timeout_s: Positive = Field(
        default=10,
        description="a worker that is silent for this long loses its shards; a static member must "
        "be back within it",
    )
    broker_patience_s: Positive = Field(
        default=60,
        description="a worker whose broker does not answer for this long ends with exit code 75",
    )
    watchdog_s: Positive = Field(
        default=120, description="lag without progress for this long ends the worker, stacks dumped"
    )
    static_member: str | None = Field(
        default=None, description="group.instance.id: a restart within the session keeps its shards"
    )
    standby_replicas: int = Field(
        default=1,
        ge=0,
        description="other workers that keep a warm copy of a shard's table, where there are any",
    )

    @model_validator(mode="after")
    def _transactions_outlast_the_broker(self) -> StreamSettings:
        if self.transaction_timeout_s <= self.broker_patience_s:
            raise ValueError(
                f"stream.transaction_timeout_s is {self.transaction_timeout_s} and "
                f"stream.broker_patience_s {self.broker_patience_s}: a transaction must live "
                "longer than a worker waits for its broker, or waiting is in vain"
            )
        return self

    @model_validator(mode="after")
    def _watchdog_is_patient(self) -> StreamSettings:
        if self.watchdog_s <= self.transaction_timeout_s:
            raise ValueError(
                f"stream.watchdog_s is {self.watchdog_s} and stream.transaction_timeout_s "
                f"{self.transaction_timeout_s}: the watchdog must wait longer than a transaction "
                "may take, or it ends workers that only wait for the brokers"
            )
        return self


class LabelSettings(Section):
    """Labels that come after their observation, and events that come twice.

    Part of the state: a shard that was learnt with other settings is refused.
    """

    topic: str | None = Field(
        default=None,
        description="topic of late labels, forwarded into the events; none: send them there",
    )
    keep_observations: int = Field(
        default=10_000,
        ge=0,
        description="unlabelled observations that a cell keeps for their label; 0: none",
    )
    ttl_s: Positive = Field(
        default=7 * 86_400, description="how long one is kept, in seconds of event time"
    )
    repeat_window: int = Field(
        default=10_000,
        ge=0,
        description="latest events of a cell whose repetition is recognised; 0: none",
    )

    def of_state(self) -> dict[str, int]:
        """Return the settings that the state depends on."""
        return self.model_dump(exclude={"topic"})


class SnapshotSettings(Section):
    """Snapshots of the shards' state."""

    url: str | None = Field(
        default=None,
        description="folder or s3://bucket/prefix of the snapshots; none: no snapshots",
    )
    every_events: Positive | None = Field(
        default=1_000_000,
        description="events of a shard between two snapshots; none: only when asked (SIGUSR2)",
    )
    keep: Positive = Field(default=3, description="so many of the newest are kept")
    keep_days: float | None = Field(
        default=None, gt=0, description="younger ones are kept as well; none: the count decides"
    )


class SecretSettings(Section):
    """Where keys and salts come from."""

    provider: Literal["file", "environment"] = "file"
    directory: Path | None = Field(
        default=None, description="of the file provider; default data_dir/secrets"
    )


class EncryptionSettings(Section):
    """Encryption of the tenants' state at rest."""

    mode: Literal["off", "on", "migrate"] = Field(
        default="off",
        description="on: state is encrypted, and refused where it is not; migrate: state in the "
        "clear is still read, and encrypted by the next checkpoint",
    )
    keys: str | None = Field(
        default=None,
        description="folder or s3://bucket/prefix of the tenants' wrapped data keys, the same for "
        "all workers; not backed up, without versioning",
    )
    refresh_s: Positive = Field(
        default=5, description="seconds between two looks at it for rotated and destroyed keys"
    )

    @model_validator(mode="after")
    def _has_a_place_for_keys(self) -> EncryptionSettings:
        if self.mode != "off" and self.keys is None:
            raise ValueError(
                f"encryption.mode is {self.mode}: set encryption.keys to a folder that all workers "
                "share, or to s3://bucket/prefix"
            )
        return self


class QuotaLimits(Section):
    """Bounds of one tenant in one shard."""

    events_per_s: float | None = Field(
        default=None, gt=0, description="events a second of event time, of a tenant in a shard"
    )
    burst_s: float = Field(
        default=10.0, gt=0, description="so many seconds' worth of events may come at once"
    )
    ids: Positive | None = Field(
        default=None, description="ids that the linear model of a tenant in a shard may hold"
    )


class QuotaSettings(QuotaLimits):
    """Bounds of the tenants; events beyond them are quarantined."""

    tenants: dict[str, QuotaLimits] = Field(
        default_factory=dict, description="tenants with bounds of their own, in the place of these"
    )


class RegistrySettings(Section):
    """A Confluent schema registry; without one, messages are framed as ``topics.framing`` says."""

    url: str | None = None


class Settings(BaseSettings):
    """All of them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    application_id: str = Field(
        default="weir", pattern=r"^[A-Za-z0-9._-]{1,100}$", description="consumer group, changelog"
    )
    data_dir: Path = Path(".weir")
    mapping: Path | None = Field(
        default=None, description="mapping file for a foreign events topic"
    )
    broker: BrokerSettings = BrokerSettings()
    topics: TopicSettings = TopicSettings()
    stream: StreamSettings = StreamSettings()
    learner: CellConfig = Field(default_factory=CellConfig)
    secrets: SecretSettings = SecretSettings()
    snapshots: SnapshotSettings = SnapshotSettings()
    labels: LabelSettings = LabelSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    quotas: QuotaSettings = QuotaSettings()
    http: HttpSettings = HttpSettings()
    scanner: ScannerSettings = ScannerSettings()
    messages: MessageSettings = MessageSettings()
    registry: RegistrySettings = RegistrySettings()
    hierarchy: HierarchySettings = HierarchySettings()
    pace: PaceConfig = Field(default_factory=PaceConfig)
    stream_logs: StreamLogSettings = StreamLogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: command line, environment, file."""
        toml = TomlConfigSettingsSource(settings_cls, config_file())
        return init_settings, env_settings, toml

    @model_validator(mode="after")
    def _linked_verdicts_are_our_events(self) -> Settings:
        linked = [name for name in ("messages", "hierarchy") if getattr(self, name).link]
        if linked and self.mapping is not None:
            raise ValueError(
                f"{linked[0]}.link writes events of our own schema, and mapping says that the "
                "events topic holds foreign ones: unset one of the two"
            )
        return self

    @property
    def messages_dir(self) -> Path:
        """Folder of the RocksDB tables of shards of messages, one sub-folder a shard."""
        return self.state_dir / "messages"

    @property
    def tokens_dir(self) -> Path:
        """Folder of the RocksDB tables of shards of tokens, one sub-folder a shard."""
        return self.state_dir / "tokens"

    @property
    def state_dir(self) -> Path:
        """Folder of the worker's RocksDB tables, one sub-folder a shard."""
        return self.data_dir / "state" / self.application_id

    @property
    def stream_logs_dir(self) -> Path:
        """Folder of the six logs of the token stream."""
        return self.stream_logs.directory or self.data_dir / "stream-logs"

    @property
    def secrets_dir(self) -> Path:
        """Folder of the file secret provider."""
        return self.secrets.directory or self.data_dir / "secrets"


def config_file() -> Path | None:
    """Return the settings file in force, or none.

    Raises:
        ConfigError: the file named by WEIR_CONFIG is not there.
    """
    named = os.environ.get("WEIR_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise ConfigError(f"settings file {path} (WEIR_CONFIG or --config) is not there")
        return path
    return DEFAULT_CONFIG_FILE if DEFAULT_CONFIG_FILE.is_file() else None


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; keyword arguments win over environment and file.

    Raises:
        ConfigError: a setting is malformed or unknown, or contradicts another; the message names
            each.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        lines = [_explained(problem) for problem in error.errors()]
        raise ConfigError("settings cannot be used: " + "; ".join(lines)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"settings file {config_file()} is not TOML: {error}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"settings cannot be read: {error}") from error
    if strangers := [name for name in sorted(os.environ) if _is_stranger(name)]:
        raise ConfigError(
            f"environment variables that name no setting: {', '.join(strangers)}. "
            "Correct or remove them"
        )
    return settings


def _explained(problem: ErrorDetails) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "settings"
    if problem["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"{where}: there is no such setting"
    return f"{where}: {problem['msg']}"


def _is_stranger(variable: str) -> bool:
    """Tell whether an environment variable is meant as a setting and is none.

    What follows a known first name is checked with the settings themselves.
    """
    name = variable.upper()
    if not name.startswith(PREFIX) or name in OTHER_VARIABLES or SERVICE_LINK.fullmatch(name):
        return False
    if name.startswith(f"{PREFIX}SECRET_"):
        return False
    return name.removeprefix(PREFIX).partition("__")[0].lower() not in Settings.model_fields
