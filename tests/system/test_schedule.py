"""A schedule follows from its seed, disturbs everything, and never takes two brokers at once."""

from __future__ import annotations

from tests.system.schedule import BROKERS, OF_BROKERS, WORKERS, Kind, make_schedule


def test_the_same_seed_gives_the_same_schedule() -> None:
    """A failure can be looked for again; and a longer schedule begins like a shorter one."""
    assert make_schedule(7, 20) == make_schedule(7, 20)
    assert make_schedule(7, 20)[:4] == make_schedule(7, 4)
    assert make_schedule(7, 20) != make_schedule(8, 20)


def test_every_kind_of_fault_comes_up() -> None:
    """Twenty rounds do everything more than once, four nearly all."""
    for seed in range(20):
        kinds = [fault.kind for part in make_schedule(seed, 20) for fault in part.faults]
        assert all(kinds.count(kind) >= 2 for kind in Kind), seed
        short = {fault.kind for part in make_schedule(seed, 4) for fault in part.faults}
        assert len(short) >= len(Kind) - 1, seed


def test_two_of_three_brokers_are_there_and_a_worker_is_wanted() -> None:
    """A schedule tests the workers, not whether Kafka serves without a majority."""
    for seed in range(20):
        running = set(range(WORKERS - 1))
        for part in make_schedule(seed, 20):
            assert sum(fault.kind in OF_BROKERS for fault in part.faults) <= 1
            for fault in part.faults:
                assert fault.at_s + fault.lasts_s < part.length_s
                if fault.kind in OF_BROKERS:
                    assert 1 <= fault.target <= BROKERS
                elif fault.kind is Kind.WORKER_JOIN:
                    assert fault.target not in running
                    running.add(fault.target)
                else:
                    assert fault.target in running
                    running -= {fault.target} if fault.kind is Kind.WORKER_LEAVE else set()
            assert running
            assert all(0.0 <= poison.place < 1.0 for poison in part.poison)
