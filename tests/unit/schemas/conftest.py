from collections.abc import Iterator

import pytest

from schemas.confluent import SchemaRegistry
from tests.unit.schemas.registry_double import RegistryDouble


@pytest.fixture
def server() -> Iterator[RegistryDouble]:
    """A schema registry that answers."""
    with RegistryDouble() as double:
        yield double


@pytest.fixture
def registry(server: RegistryDouble) -> Iterator[SchemaRegistry]:
    """Our client of it."""
    client = SchemaRegistry(server.url, {"retries.wait.ms": 1})
    yield client
    client.close()
