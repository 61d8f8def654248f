from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from deploy.broker import process
from deploy.broker.choose import choose_broker, stop_broker
from deploy.broker.errors import BrokerNotAvailable, PortTakenError, StorageError
from deploy.broker.local import LocalBroker
from deploy.broker.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a space and letters beyond ASCII, which trip shells and property files."""
    return tmp_path_factory.mktemp("brökér hömé")


@pytest.fixture(scope="module")
def local(home: Path) -> Iterator[LocalBroker]:
    """A broker of this module's own, because its tests kill and stop it."""
    with LocalBroker(home, tethered=True) as started:
        yield started


def _create_topic(bootstrap: str, partitions: int = 1, replicas: int = 1) -> str:
    name = f"deploy-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, partitions, replicas)])[name].result(timeout=30)
    return name


class _AckedWriter:
    """Produces numbered messages and remembers which ones the broker acknowledged."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._next = 0
        self.acked: list[bytes] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "log_level": 0,
                "socket.timeout.ms": 5000,
            }
        )

    def write(self, count: int) -> None:
        for _ in range(count):
            self._producer.produce(self._topic, b"%d" % self._next, on_delivery=self._delivered)
            self._next += 1
        self._producer.poll(0)

    def flush(self) -> int:
        return self._producer.flush(60)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        value = message.value()
        if error is None and value is not None:
            self.acked.append(value)


def _read_all(bootstrap: str, topic: str) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "read", "log_level": 0})
    place = TopicPartition(topic, 0, 0)
    end = consumer.get_watermark_offsets(place, timeout=30)[1]
    consumer.assign([place])
    values: list[bytes] = []
    while len(values) < end:
        message = consumer.poll(30)
        assert message is not None, f"{len(values)} of {end} messages, then silence"
        assert message.error() is None
        value = message.value()
        assert value is not None
        values.append(value)
    consumer.close()
    return values


def test_messages_that_were_acknowledged_survive_sigkill(local: LocalBroker) -> None:
    """What a producer was told is written is there after the broker crashed and came back."""
    topic = _create_topic(local.bootstrap)
    writer = _AckedWriter(local.bootstrap, topic)
    writer.write(1000)
    assert writer.flush() == 0
    before = local.bootstrap

    local.kill()
    assert local.status()[0].pid is None
    writer.write(100)  # the producer holds these until the broker is back
    local.restart()

    assert local.bootstrap == before
    assert writer.flush() == 0
    assert len(writer.acked) == 1100
    assert _read_all(local.bootstrap, topic) == writer.acked


def test_a_stopped_broker_starts_again_with_its_data(home: Path, local: LocalBroker) -> None:
    """`down` and `up` keep topics and messages, even if the ports change."""
    topic = _create_topic(local.bootstrap)
    writer = _AckedWriter(local.bootstrap, topic)
    writer.write(10)
    assert writer.flush() == 0

    local.stop()
    assert not local.is_running()
    with pytest.raises(BrokerNotAvailable, match=r"No broker answers at 127\.0\.0\.1:"):
        Probe(local.bootstrap).nodes(timeout_s=1)
    log = (home / "node-1" / "broker.log").read_text(encoding="utf-8")
    assert "shut down completed" in log, "it was not a clean stop"
    local.start()

    assert _read_all(local.bootstrap, topic) == writer.acked


def test_another_process_finds_and_stops_the_broker(local: LocalBroker, home: Path) -> None:
    """`weir down` works from a terminal that did not run `weir up`; asking twice is harmless."""
    handle = choose_broker(None, home, "local", base_port=0)
    assert (handle.kind, handle.bootstrap) == ("local", local.bootstrap)

    code = f"""
from pathlib import Path
from deploy.broker import process
from deploy.broker.choose import stop_broker
print(stop_broker(Path({str(home)!r})), stop_broker(Path({str(home)!r})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.split() == ["local", "None"]
    assert not local.is_running()
    local.start()


def test_an_address_that_answers_is_used_and_left_alone(local: LocalBroker, home: Path) -> None:
    """Weir starts no broker beside one that the user names, and does not stop that one."""
    handle = choose_broker(local.bootstrap, home / "elsewhere")

    assert (handle.kind, handle.bootstrap, handle.notes) == ("address", local.bootstrap, ())
    handle.stop()
    assert local.is_running()
    assert not (home / "elsewhere").exists()


def test_a_paused_broker_answers_nothing_until_it_is_resumed(local: LocalBroker) -> None:
    """A hung broker can be told from a dead one: it has a process and gives no answer."""
    probe = Probe(local.bootstrap)
    assert probe.nodes(timeout_s=30) == {1}

    local.pause()
    try:
        assert local.is_running()
        with pytest.raises(BrokerNotAvailable):
            Probe(local.bootstrap).nodes(timeout_s=1)
    finally:
        local.resume()

    assert probe.nodes(timeout_s=30) == {1}


def test_a_message_of_ten_megabytes_passes(local: LocalBroker) -> None:
    """Checkpoints of large cells are batches above Kafka's default limit of one megabyte."""
    topic = _create_topic(local.bootstrap)
    errors: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": local.bootstrap, "message.max.bytes": 10_485_760})
    body = os.urandom(10_000_000)
    producer.produce(topic, body, on_delivery=lambda error, _: errors.append(error))

    assert producer.flush(60) == 0
    assert errors == [None]
    assert _read_all(local.bootstrap, topic) == [body]


def test_a_mistyped_topic_is_not_made(local: LocalBroker) -> None:
    """Asking for a topic that is not there does not create it."""
    missing = f"missing-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": local.bootstrap})

    found = admin.list_topics(missing, timeout=30).topics[missing]

    assert found.error is not None
    assert missing not in admin.list_topics(timeout=30).topics


def test_a_taken_port_is_named_and_nothing_is_left_behind(
    local: LocalBroker, tmp_path: Path
) -> None:
    """Who starts a second broker on a port in use is told which port, and what to do."""
    port = int(local.bootstrap.rpartition(":")[2])
    second = LocalBroker(tmp_path, base_port=port)

    with pytest.raises(PortTakenError, match=rf"Port {port} .* choose another port"):
        second.start()

    assert second.status() == []


def test_a_folder_for_one_broker_is_not_started_as_three(local: LocalBroker, home: Path) -> None:
    """Data replicated once is not silently taken for data replicated three times."""
    assert local.is_running()
    with pytest.raises(StorageError, match="holds a cluster of 1, not of 3"):
        LocalBroker(home, 3).start()


def test_a_broker_that_dies_at_start_says_why(tmp_path: Path) -> None:
    """The reason is in the error, and so is the log's path; no process and no pid stay behind."""
    broken = LocalBroker(tmp_path, heap="1m", tethered=True)

    with pytest.raises(Exception, match=r"died\. The end of .*broker\.log") as caught:
        broken.start()

    assert type(caught.value).__name__ == "StartError"
    assert "heap" in str(caught.value).lower()
    assert not broken.is_running()
    broken.stop()


def test_tethered_brokers_die_with_their_owner(tmp_path: Path) -> None:
    """A test run that is killed outright leaves no Java process behind."""
    code = f"""
import sys
from pathlib import Path
from deploy.broker.local import LocalBroker
broker = LocalBroker(Path({str(tmp_path)!r}), tethered=True)
broker.start()
print("up", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        left = LocalBroker(tmp_path)
        pid = left.status()[0].pid
        assert pid is not None
        owner.send_signal(signal.SIGKILL)

    assert process.await_exit(pid, str(tmp_path), timeout_s=30)


def test_untethered_brokers_outlive_their_owner(tmp_path: Path) -> None:
    """`weir up` returns to the prompt and the broker stays until `weir down`."""
    code = f"""
from pathlib import Path
from deploy.broker import process
from deploy.broker.choose import choose_broker
print(choose_broker(None, Path({str(tmp_path)!r}), "local", base_port=0).bootstrap)
"""
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert Probe(done.stdout.strip()).nodes(timeout_s=30) == {1}
        assert done.stderr == ""
    finally:
        assert stop_broker(tmp_path) == "local"


@pytest.mark.slow
def test_three_brokers_accept_writes_while_one_is_dead(cluster: LocalBroker) -> None:
    """With one of three brokers killed, acks=all goes on and nothing acknowledged is lost."""
    topic = _create_topic(cluster.bootstrap, replicas=3)
    writer = _AckedWriter(cluster.bootstrap, topic)
    writer.write(500)
    assert writer.flush() == 0
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    leader = admin.list_topics(topic, timeout=30).topics[topic].partitions[0].leader

    cluster.kill(leader)
    try:
        writer.write(500)
        assert writer.flush() == 0
        assert len(writer.acked) == 1000
        assert _read_all(cluster.bootstrap, topic) == writer.acked
    finally:
        cluster.restart(leader)

    assert [node.pid is None for node in cluster.status()] == [False, False, False]
    assert _read_all(cluster.bootstrap, topic) == writer.acked
