"""An S3-compatible server on a free port: moto's, over HTTP, in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import s3fs

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_S = 60
_POLL_S = 0.1
_PROGRAM = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", int(sys.argv[1]), verbose=False)
server.start()
sys.stdin.read()
server.stop()
"""


@dataclass(frozen=True)
class S3:
    """A running server.

    Attributes:
        environment: variables that point a client to it.
    """

    environment: dict[str, str]

    def client(self) -> Any:
        """Return a client of its own, to look at what was written."""
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with moto

        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
        )

    def make_bucket(self, name: str) -> None:
        """Make a bucket whose objects can be locked."""
        self.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)


@contextmanager
def running_s3() -> Iterator[S3]:
    """Start the server; it ends with the block, and with this process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_S
        while not _answers(url):
            assert process.poll() is None, "the S3 server ended"
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(_POLL_S)
        yield S3(
            {
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        )
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
        s3fs.S3FileSystem.clear_instance_cache()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - the address above
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
