import pytest

from schemas import confluent
from schemas.confluent import RegistryUnavailable, SchemaRegistry
from schemas.errors import BadMessage, ConfigError
from schemas.reasons import Reason
from schemas.registry import load
from tests.unit.schemas.registry_double import RegistryDouble

# Nothing listens on port 1 of this machine.
DOWN = "http://me:hunter2@127.0.0.1:1"


def test_registering_twice_gives_one_id(server: RegistryDouble) -> None:
    """Each worker registers at start; the schema keeps its id."""
    ids = set()
    for _ in range(2):
        client = SchemaRegistry(server.url)
        ids.add(client.register("events-value", load("event")))
        client.close()
    assert len(ids) == 1


def test_the_registry_gets_the_docs_too(registry: SchemaRegistry) -> None:
    """What other teams see in the registry is the documented schema, word for word."""
    schema = load("event")
    assert registry.fetch(registry.register("events-value", schema)) == schema.text


def test_schema_that_the_subject_refuses(server: RegistryDouble, registry: SchemaRegistry) -> None:
    """A subject that holds something incompatible is named, with what can be done."""
    server.frozen.add("events-value")
    with pytest.raises(ConfigError, match=r"does not take weir\.Event as events-value.*another"):
        registry.register("events-value", load("event"))


def test_finding_registers_nothing(server: RegistryDouble, registry: SchemaRegistry) -> None:
    """Where registering is left to others, a missing schema is an error and stays missing."""
    with pytest.raises(ConfigError, match=r"does not have weir\.Event as events-value"):
        registry.find("events-value", load("event"))
    assert server.requests == ["POST /subjects/events-value"]

    number = server.add(load("event").text, subject="events-value")
    assert registry.find("events-value", load("event")) == number


def test_unknown_id_is_the_messages_fault_and_asked_for_once(
    server: RegistryDouble, registry: SchemaRegistry
) -> None:
    """A flood of messages with an invented id is not a flood of requests."""
    for _ in range(3):
        with pytest.raises(BadMessage, match="has no schema 9; was the message") as caught:
            registry.fetch(9)
        assert caught.value.reason == Reason.UNKNOWN_SCHEMA
    assert server.requests == ["GET /schemas/ids/9"]


def test_memory_of_unknown_ids_is_bounded(
    server: RegistryDouble, registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invented ids without end do not grow memory."""
    monkeypatch.setattr(confluent, "_UNKNOWN_IDS", 2)
    for number in range(7, 12):
        with pytest.raises(BadMessage):
            registry.fetch(number)
    assert len(registry._unknown_until) <= 2  # noqa: SLF001 - the bound itself is what is tested
    assert len(server.requests) == 5


def test_schemas_that_are_not_plain_avro(server: RegistryDouble, registry: SchemaRegistry) -> None:
    """A Protobuf schema, or one in several pieces, is refused with its id."""
    with pytest.raises(BadMessage, match=r"schema 1 of http://127.* is PROTOBUF"):
        registry.fetch(server.add("syntax", schemaType="PROTOBUF"))
    reference = {"name": "weir.Part", "subject": "part", "version": 1}
    with pytest.raises(BadMessage, match="refers to other subjects"):
        registry.fetch(server.add("{}", references=[reference]))


@pytest.mark.parametrize("status", [500, 503, 429])
def test_registry_that_is_not_well(
    server: RegistryDouble, registry: SchemaRegistry, status: int
) -> None:
    """A registry that cannot answer now is tried again, then stops the caller."""
    server.status = status
    with pytest.raises(RegistryUnavailable, match="does not answer: as the test wants it"):
        registry.fetch(1)
    assert len(server.requests) == 3

    server.status = None
    number = server.add(load("event").text)
    assert registry.fetch(number) == load("event").text


@pytest.mark.parametrize("status", [401, 403])
def test_registry_that_refuses_access(
    server: RegistryDouble, registry: SchemaRegistry, status: int
) -> None:
    """Wrong credentials are a setting to correct, not a message to quarantine."""
    server.status = status
    with pytest.raises(ConfigError, match=r"refuses access.*set its credentials"):
        registry.fetch(1)


def test_registry_that_is_down() -> None:
    """The address, the cause and what to do are said; the password is not."""
    client = SchemaRegistry(DOWN, {"retries.wait.ms": 1})
    with pytest.raises(
        RegistryUnavailable, match=r"http://127\.0\.0\.1:1 does not answer"
    ) as caught:
        client.register("events-value", load("event"))
    client.close()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(client)
    assert "start it, or correct the address" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "properties"), [("localhost:8081", {}), ("http://localhost", {"basic.auth": "x"})]
)
def test_settings_that_make_no_sense(url: str, properties: dict[str, str]) -> None:
    """A malformed address or an unknown property is refused before anything is sent."""
    with pytest.raises(ConfigError, match=r"schema registry .*localhost"):
        SchemaRegistry(url, properties)
