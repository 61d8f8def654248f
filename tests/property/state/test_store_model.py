"""The store behaves like a sorted dictionary that survives restarts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from state.store import ShardStore

KEYS = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.lists(st.sampled_from([0, 1, 0x5F, 0xFE, 0xFF]), min_size=1, max_size=4).map(bytes),
)
CHANGES = st.dictionaries(KEYS, st.none() | st.binary(max_size=50), max_size=20)


class Model(RuleBasedStateMachine):
    """A store and the dictionary that it must equal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "shard"
        self.store = ShardStore(self.path)
        self.model: dict[bytes, bytes] = {}
        self.offset: int | None = None

    def teardown(self) -> None:
        """Close what is open."""
        self.store.close()
        self.folder.cleanup()

    @rule(changes=CHANGES, offset=st.none() | st.integers(0, 2**63 - 1))
    def write(self, changes: dict[bytes, bytes | None], offset: int | None) -> None:
        """A batch puts, replaces and deletes, and may move the offset."""
        self.store.write(changes, changelog_offset=offset)
        for key, value in changes.items():
            if value is None:
                self.model.pop(key, None)
            else:
                self.model[key] = value
        if offset is not None:
            self.offset = offset

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        """A key has its last value, or none."""
        assert self.store.get(key) == self.model.get(key)
        assert self.store.changelog_offset == self.offset

    @rule(prefix=KEYS | st.just(b""))
    def scan(self, prefix: bytes) -> None:
        """A scan gives the records of its prefix, in the order of their keys."""
        expected = [(k, self.model[k]) for k in sorted(self.model) if k.startswith(prefix)]
        assert list(self.store.items(prefix)) == expected

    @rule()
    def flush(self) -> None:
        """Where the bytes lie makes no difference."""
        self.store.flush()

    @rule()
    def restart(self) -> None:
        """Closing and opening again makes no difference either."""
        self.store.close()
        self.store = ShardStore(self.path)


TestStore = Model.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
