"""The machine that is measured on: which it is, how busy it was, and what runs on which cores."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CORES = 2
"""Everything that is measured shares so many cores, the broker included, wherever it runs."""

_CPU_INFO = Path("/proc/cpuinfo")
_PROC = Path("/proc")


def pin() -> int:
    """Bind this process, and with it all that it starts, to ``CORES`` cores; return their number.

    Where the system cannot do that, or there are no more, all cores are used.
    """
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:CORES])
    return len(allowed[:CORES])


def load() -> float:
    """Return the load average of the last minute: processes that ran or waited for a core."""
    return round(os.getloadavg()[0], 2)


def describe() -> dict[str, str]:
    """Say which machine this is."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{pages * page / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time that a process has used; None where the system does not tell."""
    try:
        # The name, in brackets, may hold spaces; counting starts behind it, with field 3.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
