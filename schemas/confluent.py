"""A client of a schema registry that speaks Confluent's REST protocol.

confluent-kafka's client does the talking. This module turns its errors into ours: a registry that
does not answer stops the caller, an id that does not exist is the message's fault.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.errors import BadMessage, ConfigError, WeirError
from schemas.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schemas.registry import Schema

# The client's own default waits for ever. A registry answers in milliseconds; three tries within
# some 30 s leave room for a restart, and stay below a consumer's max.poll.interval.ms.
_DEFAULTS: Final = {"timeout": 10, "max.retries": 2, "retries.wait.ms": 200}

# Ids are given out once and never before a producer uses them, so an unknown one stays unknown,
# but for a follower that lags. Without a memory, a flood of bad messages is a flood of requests.
_UNKNOWN_FOR_S: Final = 60.0
_UNKNOWN_IDS: Final = 10_000


class RegistryUnavailable(WeirError):  # noqa: N818 - it names a condition, as Kafka's errors do
    """The schema registry does not answer, or answers that it cannot."""

    exit_code = 69


class SchemaRegistry:
    """A schema registry at an address. Share one among all codecs; safe from several threads.

    Args:
        url: one address or several with commas between.
        properties: further properties of confluent-kafka's client, such as
            ``basic.auth.user.info`` or ``ssl.ca.location``.

    Raises:
        ConfigError: the address is malformed or a property is not known.
    """

    def __init__(self, url: str, properties: Mapping[str, Any] | None = None) -> None:
        self._where = ", ".join(_without_password(part.strip()) for part in url.split(","))
        try:
            self._client = SchemaRegistryClient({**_DEFAULTS, **(properties or {}), "url": url})
        except (ValueError, TypeError, OSError) as error:
            raise ConfigError(f"schema registry {self._where}: {error}") from error
        self._unknown_until: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"SchemaRegistry({self._where})"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def register(self, subject: str, schema: Schema) -> int:
        """Register our schema under a subject, or find it there, and return its id.

        Raises:
            ConfigError: the subject's compatibility rule refuses it, or we may not write there.
            RegistryUnavailable: the registry does not answer.
        """
        ours = RegistrySchema(schema.text, "AVRO")
        try:
            return int(self._ask(lambda: self._client.register_schema(subject, ours)))
        except SchemaRegistryError as error:
            raise ConfigError(
                f"schema registry {self._where} does not take {schema.fullname} as {subject}: "
                f"{error}; write to another topic, or change the subject's compatibility rule"
            ) from error

    def find(self, subject: str, schema: Schema) -> int:
        """Return the id under which our schema is registered, registering nothing.

        Raises:
            ConfigError: it is not registered under the subject.
            RegistryUnavailable: the registry does not answer.
        """
        ours = RegistrySchema(schema.text, "AVRO")
        try:
            found = self._ask(lambda: self._client.lookup_schema(subject, ours))
        except SchemaRegistryError as error:
            raise ConfigError(
                f"schema registry {self._where} does not have {schema.fullname} as {subject}: "
                f"{error}; register it there, or allow this application to"
            ) from error
        return int(found.schema_id)

    def fetch(self, schema_id: int) -> str:
        """Return the Avro schema of an id as JSON text.

        Raises:
            BadMessage: ``UNKNOWN_SCHEMA``: there is none. ``INCOMPATIBLE_SCHEMA``: it is not Avro,
                or spread over several subjects.
            RegistryUnavailable: the registry does not answer.
        """
        if time.monotonic() < self._unknown_until.get(schema_id, 0.0):
            raise self._unknown(schema_id)
        try:
            schema = self._ask(lambda: self._client.get_schema(schema_id))
        except SchemaRegistryError as error:
            if len(self._unknown_until) >= _UNKNOWN_IDS:
                self._unknown_until.clear()
            self._unknown_until[schema_id] = time.monotonic() + _UNKNOWN_FOR_S
            raise self._unknown(schema_id) from error
        if schema.schema_type != "AVRO" or schema.references:
            what = "refers to other subjects" if schema.references else f"is {schema.schema_type}"
            raise BadMessage(
                Reason.INCOMPATIBLE_SCHEMA,
                f"schema {schema_id} of {self._where} {what}; one Avro schema is expected",
            )
        return str(schema.schema_str)

    def _unknown(self, schema_id: int) -> BadMessage:
        return BadMessage(
            Reason.UNKNOWN_SCHEMA,
            f"schema registry {self._where} has no schema {schema_id}; was the message written "
            "with another registry?",
        )

    def _ask(self, request: Callable[[], Any]) -> Any:
        """Send a request; what comes out is an answer or the refusal of this very request.

        Raises:
            SchemaRegistryError: the registry is there and says no.
            ConfigError: it does not accept the credentials.
            RegistryUnavailable: it is not there, or not well.
        """
        try:
            return request()
        except SchemaRegistryError as error:
            if error.http_status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise ConfigError(
                    f"schema registry {self._where} refuses access: {error}; "
                    "set its credentials and rights"
                ) from error
            if error.http_status_code in (
                HTTPStatus.NOT_FOUND,
                HTTPStatus.CONFLICT,
                HTTPStatus.UNPROCESSABLE_ENTITY,
            ):
                raise
            raise self._unavailable(error) from error
        except Exception as error:  # the client lets out whatever its HTTP library raises
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"schema registry {self._where} does not answer: {error}; "
            "start it, or correct the address in the settings"
        )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
