"""The exception tree of the operators.

    OperatorError(ValueError)
    ├── InvalidConfig     a setting is out of range or contradicts another: change it
    ├── InvalidInput      arrays whose shapes or types do not fit together: the caller is wrong
    │   └── NonFiniteInput    NaN or infinity in the input: quarantine the event
    ├── OutOfCapacity     a structure reached the size it may have: spread over more shards
    └── StateMismatch     saved arrays do not fit the configuration, the salt or each other

Operators stand alone: they know no other package's errors. Whoever calls them wraps these.
"""

from __future__ import annotations


class OperatorError(ValueError):
    """Root of every error that an operator raises on purpose."""


class InvalidConfig(OperatorError):  # noqa: N818 - it names a condition, as the application's own errors do
    """A setting is out of range or contradicts another."""


class InvalidInput(OperatorError):  # noqa: N818 - the same
    """Arrays given to an operator do not fit together."""


class NonFiniteInput(InvalidInput):
    """NaN or infinity in the input; nothing was learnt and nothing was changed.

    Args:
        what: which input it is: ``"feature"``, ``"label"``, ``"error"``, ``"query"`` and so on.
        position: index of the first offending element in the array it was given in.
        value: the offending value.
    """

    def __init__(self, what: str, position: int, value: float) -> None:
        super().__init__(f"{what} {position} is {value}: only finite numbers can be learnt from")
        self.what = what
        self.position = position


class OutOfCapacity(OperatorError):  # noqa: N818 - the same
    """A structure may not grow further; what it holds is unharmed and can still be read."""


class StateMismatch(OperatorError):  # noqa: N818 - the same
    """Saved arrays do not fit the configuration, the salt or each other."""
