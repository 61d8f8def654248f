"""Paths of the application, where the end of one is a name that the caller chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def route_of(path: str, routes: Iterable[str]) -> str | None:
    """Return the route that a path belongs to; None: there is none.

    Args:
        path: of a request.
        routes: paths; what stands in braces at the end of one is any text but none.
    """
    found = None
    for route in routes:
        if path == route:
            return route
        fixed, brace, _ = route.partition("{")
        if brace and path.startswith(fixed) and path != fixed:
            found = route
    return found
