"""Resharding without a broker: where records go, which are copied, and what a comparison finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from schemas.errors import StateError, VerificationError
from state.secrets import FileSecrets
from streams.feed import murmur2_partition
from streams.kafka.reader import Record
from streams.quarantine import HEADER, Quarantined
from streams.reshard import check, cut_over, processed, redriven
from streams.reshard.check import Checked, CopyCheck, digest_of, load_checked
from streams.reshard.copy import time_of
from streams.reshard.plan import PLACE_HEADER, Resharding, place_header, place_of
from streams.reshard.processed import Outputs, check_outputs, events_of, left_over
from streams.reshard.redriven import Redriven, redriven_from
from streams.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.kafka.reader import PartitionReader

Log = dict[int, list[Record]]
OLD, NEW = 2, 3


@pytest.fixture
def about() -> Resharding:
    """Two shards become three."""
    return Resharding(
        load_settings(application_id="old"),
        load_settings(application_id="new", topics={"prefix": "new.", "partitions": NEW}),
        OLD,
    )


class FakeReader:
    """Topics in memory."""

    def __init__(self, **logs: Log) -> None:
        self.logs = {name.replace("_", "."): log for name, log in logs.items()}

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """See ``PartitionReader``."""
        log = self.logs[topic][partition]
        return (log[0].offset, log[-1].offset + 1) if log else (0, 0)

    def stable_end(self, topic: str, partitions: list[int]) -> dict[int, int]:
        """See ``PartitionReader``."""
        return {p: self.bounds(topic, p)[1] for p in partitions}

    def read(
        self, topic: str, partition: int, start: int | None, stop: int
    ) -> Iterator[list[Record]]:
        """See ``PartitionReader``."""
        log = self.logs[topic][partition]
        if found := [r for r in log if (start or 0) <= r.offset < stop]:
            yield found

    @property
    def plain(self) -> PartitionReader:
        """The same, as the real one."""
        return cast("PartitionReader", self)


class KeepsAll:
    """A selection that leaves nothing out."""

    def keeps(self, _partition: int, _record: Record) -> bool:
        """See ``Redriven``."""
        return True


def old_log(count: int = 40) -> Log:
    """Return records of ten keys, those of a key in one partition."""
    log: Log = {p: [] for p in range(OLD)}
    for number in range(count):
        key = b"id-%d" % (number % 10)
        part = log[murmur2_partition(key, OLD)]
        headers = ((HEADER, b"x"), ("trace", None)) if number == 7 else ()
        part.append(Record(len(part), 1_000 + number, key, b"value %d" % number, headers))
    return log


def copied(about: Resharding, old: Log) -> Log:
    """Return a right copy."""
    new: Log = {p: [] for p in range(NEW)}
    for p, part in old.items():
        for record in part:
            to = new[about.shard_of(p, record.key)]
            headers = (*record.headers, place_header(about, p, record.offset))
            to.append(record._replace(offset=len(to), headers=headers))
    return new


def compare(about: Resharding, old: Log, new: Log, checked: Checked | None = None) -> Checked:
    """Compare two logs whole."""
    state = checked or Checked("", dict.fromkeys(range(OLD), 0), dict.fromkeys(range(NEW), 0))
    state.copies = state.copies or dict.fromkeys(range(NEW), 0)
    reader = FakeReader(events=old, new_events=new)
    reached = {p: part[-1].offset + 1 if part else 0 for p, part in old.items()}
    run = CopyCheck(about, reader.plain, cast("Redriven", KeepsAll()), state)
    run.run(reached, lambda _: None)
    return state


# -- where records go -----------------------------------------------------------------------------


def test_records_go_where_producers_would_put_them(about: Resharding) -> None:
    """By murmur2 of the key; without one, together with those that they were with."""
    assert about.shard_of(0, b"id-3") == murmur2_partition(b"id-3", NEW)
    assert [about.shard_of(p, None) for p in (0, 1, 7)] == [0, 1, 1]


def test_a_copy_names_its_place(about: Resharding) -> None:
    """The last header counts; what is none is told."""
    record = Record(5, 1, b"k", b"v", ((PLACE_HEADER, b"a/0@1"), place_header(about, 1, 9)))
    assert place_of(record) == ("old", 1, 9)
    for value in (b"old/1", b"1@9", b"old/x@9", b"old/1@-2", b"\xff", b""):
        assert place_of(record._replace(headers=((PLACE_HEADER, value),))) is None
    assert place_of(record._replace(headers=())) is None


def test_a_record_without_a_time_is_not_given_the_clocks() -> None:
    """A copy is the same whenever it is made."""
    assert time_of(Record(0, -1, None, None)) == time_of(Record(0, 0, None, None)) == 1
    assert time_of(Record(0, 1_700_000_000_000, None, None)) == 1_700_000_000_000


# -- the comparison -------------------------------------------------------------------------------


def test_a_right_copy_is_found_right(about: Resharding) -> None:
    """Whole, or in parts; the digest is the same."""
    old = old_log()
    whole = compare(about, old, copied(about, old))
    assert (whole.records, whole.elsewhere, whole.keyless) == (40, 0, 0)
    assert sum(whole.copies.values()) == 40

    first = {p: part[: len(part) // 2] for p, part in old.items()}
    half = compare(about, first, copied(about, first))
    grown = copied(about, first)
    for p, part in old.items():
        for record in part[len(first[p]) :]:
            to = grown[about.shard_of(p, record.key)]
            headers = (*record.headers, place_header(about, p, record.offset))
            to.append(record._replace(offset=len(to), headers=headers))
    rest = compare(about, old, grown, half)
    assert (rest.digest, rest.records) == (whole.digest, 40)


def test_what_lies_elsewhere_and_has_no_key_is_counted(about: Resharding) -> None:
    """Whoever partitions by something else must be told, or an id meets two shards."""
    old = old_log()
    swapped = {0: old[1], 1: [*old[0], Record(len(old[0]), 5, None, b"keyless")]}
    found = compare(about, swapped, copied(about, swapped))
    assert (found.elsewhere, found.keyless, found.records) == (40, 1, 41)


def test_what_retention_deleted_meanwhile_is_not_missed(about: Resharding) -> None:
    """The copies of what the old log has deleted stay, and are counted."""
    old = old_log()
    new = copied(about, old)
    found = compare(about, {p: part[3:] for p, part in old.items()}, new)
    assert (found.gone, found.records) == (6, 34)


def broken(new: Log, how: str) -> Log:
    """Break a copy in one way, in the partition that has most."""
    shard = max(new, key=lambda p: len(new[p]))
    part = list(new[shard])
    if how == "missing":
        del part[4]
    elif how == "last missing":
        del part[-1]
    elif how == "twice":
        part.insert(6, part[4])
    elif how == "swapped":
        pair = next(
            (a, b)
            for a, one in enumerate(part)
            for b, other in enumerate(part)
            if a < b and one.headers[-1][1][:5] == other.headers[-1][1][:5]  # type: ignore[index]
        )
        part[pair[0]], part[pair[1]] = part[pair[1]], part[pair[0]]
    elif how == "elsewhere":
        other = (shard + 1) % NEW
        new = {**new, other: [*new[other], part.pop(3)._replace(offset=len(new[other]))]}
    elif how == "strange":
        part.append(part[-1]._replace(offset=len(part), headers=()))
    elif how == "of another":
        headers = ((PLACE_HEADER, b"else/0@900"),)
        part.append(part[-1]._replace(offset=len(part), headers=headers))
    else:
        changes: dict[str, Any] = {
            "value": {"value": b"other"},
            "no value": {"value": None},
            "time": {"timestamp": 5},
            "headers": {"headers": (("more", b""), *part[4].headers)},
        }
        part[4] = part[4]._replace(**changes[how])
    return {**new, shard: [record._replace(offset=n) for n, record in enumerate(part)]}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "copies of them"),
        ("last missing", "copies of them"),
        ("twice", "twice, or out of order"),
        ("swapped", "twice, or out of order"),
        ("elsewhere", "by its key"),
        ("strange", "was not copied from"),
        ("of another", "was not copied from"),
        ("value", "differ from them"),
        ("no value", "differ from them"),
        ("time", "differ from them"),
        ("headers", "differ from them"),
    ],
)
def test_a_wrong_copy_is_found(about: Resharding, how: str, said: str) -> None:
    """Whatever is wrong with it, and the message says where."""
    old = old_log()
    with pytest.raises(VerificationError, match=said) as failure:
        compare(about, old, broken(copied(about, old), how))
    assert "events[" in str(failure.value)


def test_digests_tell_parts_of_a_record_apart() -> None:
    """Moving bytes from one part to the next, or an empty part to none, changes the digest."""
    records = [
        Record(0, 9, b"ab", b"c"),
        Record(0, 9, b"a", b"bc"),
        Record(0, 9, b"abc", b""),
        Record(0, 9, b"abc", None),
        Record(0, 9, None, b"abc"),
        Record(0, 9, b"ab", b"c", (("", b""),)),
        Record(0, 9, b"ab", b"c", (("", None),)),
    ]
    digests = {digest_of(0, 0, record) for record in records}
    digests |= {digest_of(1, 0, records[0]), digest_of(0, 1, records[0])}
    assert len(digests) == len(records) + 2


def test_a_comparison_goes_on_where_it_was(
    about: Resharding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the topics are others by now, or the file is none."""
    monkeypatch.setattr(check, "admin", lambda _: None)
    monkeypatch.setattr(check, "topic_ids", lambda *_: "A,B")
    path = tmp_path / "compared.json"
    old = old_log()
    reader = FakeReader(events=old, new_events=copied(about, old)).plain
    fresh = load_checked(path, about, {0: 3, 1: 4}, reader)
    assert (fresh.old, fresh.records) == ({0: 3, 1: 4}, 0)
    done = compare(about, old, copied(about, old))
    done.topics = "A,B"
    done.save(path)
    assert load_checked(path, about, {}, reader) == done
    monkeypatch.setattr(check, "topic_ids", lambda *_: "A,C")
    assert load_checked(path, about, {0: 0, 1: 0}, reader).records == 0
    path.write_text("{")
    assert load_checked(path, about, {0: 0, 1: 0}, reader).records == 0


# -- what was sent again from quarantine ----------------------------------------------------------


def refused(place: str, source: tuple[int, int]) -> Quarantined:
    partition, offset = map(int, place.split("@"))
    return Quarantined(
        partition, offset, 0, "R", "", "events", *source, b"k", b"v", "", redriven=True
    )


def selection(
    monkeypatch: pytest.MonkeyPatch, before: list[Quarantined], later: list[Quarantined]
) -> Redriven:
    """Return the selection of a copy that began at offset 10 of partition 0."""
    everything = {one.place: one for one in (*before, *later)}
    monkeypatch.setattr(redriven, "read_quarantine", lambda *_: iter(everything.values()))
    monkeypatch.setattr(redriven, "quarantined_at", lambda _s, _r, place: everything[place])
    notes = [Record(n, 0, one.place.encode(), b"") for n, one in enumerate(before)]
    reader = FakeReader(**{"quarantine-redriven": {0: notes}}).plain
    return Redriven(load_settings(), reader, {0: 10, 1: 0}, {0: len(notes)})


def sent_again(offset: int, place: str) -> Record:
    return Record(offset, 0, b"k", b"v", ((HEADER, place.encode()),))


def test_one_of_two_copies_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second if it was sent before the copy began; else the first, unless that is gone."""
    chosen = selection(
        monkeypatch,
        before=[refused("0@1", (0, 20)), refused("0@2", (0, 30))],
        later=[refused("0@3", (0, 40)), refused("0@4", (0, 5))],
    )
    plain = Record(20, 0, b"k", b"v")
    assert not chosen.keeps(0, plain)
    assert chosen.keeps(1, plain)
    assert chosen.keeps(0, sent_again(50, "0@1"))
    # Sent again, refused again, and sent again once more: before the copy, or while it ran.
    assert not chosen.keeps(0, sent_again(30, "0@1"))
    assert chosen.keeps(0, sent_again(60, "0@2"))
    assert chosen.keeps(0, plain._replace(offset=40))
    assert not chosen.keeps(0, sent_again(70, "0@3"))
    assert chosen.keeps(0, sent_again(80, "0@4")), "the first was deleted before the copy began"


def test_what_an_earlier_application_sent_again_is_an_event_like_others() -> None:
    """Its header speaks of a quarantine that is not this application's."""
    record = sent_again(5, "0@1")
    assert redriven_from(record) == "0@1"
    assert redriven_from(record._replace(headers=(*record.headers, (PLACE_HEADER, b"")))) is None
    assert redriven_from(record._replace(headers=())) is None


# -- what was processed ---------------------------------------------------------------------------


def test_markers_of_transactions_are_no_events(
    about: Resharding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition that ends in markers is processed, though its offsets go on."""
    monkeypatch.setattr(processed, "committed_offsets", lambda *_: {0: 3, 1: 1, 2: 0})
    part = [Record(n, 0, b"k", b"v") for n in range(3)]
    reader = FakeReader(new_events={0: part, 1: part, 2: []}).plain
    assert left_over(events_of(about.new), reader, {0: 5, 1: 5, 2: 0}) == {1: 2}
    assert left_over(events_of(about.new), reader, {0: 5_003, 1: 1, 2: 0}) == {0: 5_000}


def test_each_event_gives_one_thing() -> None:
    """A step, a late label, a repeat or a quarantined message; each observation a prediction."""
    check_outputs({0: Outputs(6, 6, 3, 1)}, {0: 10})
    with pytest.raises(VerificationError, match="10 events, and 9 audit records"):
        check_outputs({0: Outputs(6, 6, 3, 0)}, {0: 10})
    with pytest.raises(VerificationError, match="predicted 5 times"):
        check_outputs({0: Outputs(5, 6, 3, 1)}, {0: 10})


def test_a_changed_document_is_refused(about: Resharding, tmp_path: Path) -> None:
    """Its checksum covers all of it."""
    secrets = tmp_path / "secrets"
    FileSecrets.initialise(secrets)
    old, new = (
        one.model_copy(update={"secrets": one.secrets.model_copy(update={"directory": secrets})})
        for one in (about.old, about.new)
    )
    path = tmp_path / "cut-over.json"
    assert cut_over.read(path) is None
    said = {"format": cut_over.FORMAT, "at": "now", "consumers": {"predictions": {"to": [1]}}}
    written = cut_over.write(path, Resharding(old, new, OLD), said)
    assert cut_over.read(path) == written
    assert written["note"].count("\u2014 ") == 2
    text = path.read_text()
    for wrong in (text.replace('"now"', '"then"'), text[:-20], "[]", '{"sha256": 1}'):
        path.write_text(wrong)
        with pytest.raises(StateError, match="is damaged"):
            cut_over.read(path)
