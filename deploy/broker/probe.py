"""Ask a broker whether it answers, as a client would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from deploy.broker.errors import BrokerNotAvailable

if TYPE_CHECKING:
    from collections.abc import Mapping


class Probe:
    """A client that asks one cluster for its metadata.

    Args:
        bootstrap: ``host:port`` of one or more brokers, with commas between.
        client: further librdkafka settings, such as TLS and SASL.

    Raises:
        BrokerNotAvailable: librdkafka refuses the settings.
    """

    def __init__(self, bootstrap: str, client: Mapping[str, str] | None = None) -> None:
        self._bootstrap = bootstrap
        self._last_error = ""
        settings: dict[str, Any] = {
            **(client or {}),
            "bootstrap.servers": bootstrap,
            "error_cb": self._remember,
            # Its own log lines about refused connections are what the error below says once.
            "log_level": 0,
            "reconnect.backoff.max.ms": 500,
        }
        try:
            self._admin = AdminClient(settings)
        except (KafkaException, ValueError) as error:
            raise BrokerNotAvailable(
                f"The settings for {bootstrap} are refused: {error}. Correct them."
            ) from error

    def nodes(self, timeout_s: float) -> set[int]:
        """Return the ids of the brokers that are up.

        Raises:
            BrokerNotAvailable: none answered in time.
        """
        try:
            brokers = self._admin.list_topics(timeout=timeout_s).brokers
        except KafkaException as error:
            self._admin.poll(0)
            cause = _plain(self._last_error or error.args[0].str())
            raise BrokerNotAvailable(
                f"No broker answers at {self._bootstrap}: {cause}. "
                "Start one there, or correct the address or the security settings."
            ) from error
        return set(brokers)

    def _remember(self, error: KafkaError) -> None:
        # "All broker connections are down" follows every cause and says less than it.
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name
            self._last_error = error.str()


def _plain(text: str) -> str:
    """Cut librdkafka's own bookkeeping from the ends of an error's text."""
    without_name = text.partition("/bootstrap: ")[2] or text
    return without_name.partition(" (after ")[0]
