"""``weir reshard`` in small transactions, which kills itself with SIGKILL at a named stage.

python crashing_reshard.py open 3 --application …         the third transaction holds its records
python crashing_reshard.py offsets 3 --application …      it holds the offsets as well
python crashing_reshard.py committed 3 --application …    it has been committed, nobody was told
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from streams.cli.main import main
from streams.reshard import copy
from streams.reshard.copy import Copier

PORTION = 150
BEFORE = {"open": "send_offsets_to_transaction", "offsets": "commit_transaction"}
AFTER = {"committed": "commit_transaction"}


def arm(stage: str, number: int) -> None:
    """Let the process die at a stage of the n-th transaction that has records."""
    really = Copier._call  # noqa: SLF001 - the stages are inside a step
    count = -1  # the first transaction has none

    def dying(self: Copier, call: Any, what: str) -> None:
        nonlocal count
        count += what == "begin_transaction"
        if count >= number and what == BEFORE.get(stage):
            self._producer.flush(10)
            os.kill(os.getpid(), signal.SIGKILL)
        really(self, call, what)
        if count >= number and what == AFTER.get(stage):
            os.kill(os.getpid(), signal.SIGKILL)

    Copier._call = dying  # type: ignore[method-assign]  # noqa: SLF001 - the same


if __name__ == "__main__":
    copy.PORTION = PORTION  # type: ignore[misc]
    arm(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:] = ["reshard", *sys.argv[3:]]
    main()
