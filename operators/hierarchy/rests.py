"""Where in a stream's text its topics rested, so that the text is read again as it was read first.

Topics rest while a worker is far behind (`operators.hierarchy.pace`). What they would have done is
left out for good: a stream that is rebuilt from a checkpoint, by a worker with another plan, must
leave out the same, or its levels would not be those that partial verdicts rested on.

So places are noted, in code points of the text: topics work from the beginning to the first, rest
to the second, work to the third, and so on. A boundary belongs to the stretch in which it became
certain, however long before that it stands in the text.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple


class Rests(NamedTuple):
    """Where topics began to rest and to work again; plain values.

    Attributes:
        places: rising; an odd number of them: topics rest now.
    """

    places: tuple[int, ...] = ()

    @property
    def now(self) -> bool:
        """Whether topics rest at the end of the text."""
        return len(self.places) % 2 == 1

    def at(self, certain: int) -> bool:
        """Whether topics rested where a boundary became certain. O(log places)."""
        return bisect_left(self.places, certain) % 2 == 1

    def go_on(self, place: int, *, resting: bool) -> Rests:
        """Let topics rest, or work, for all that becomes certain behind a place.

        Args:
            place: up to which all boundaries are known. After an edit less may be known than was
                before it: what is noted already stands.
            resting: which of both.
        """
        if resting is self.now:
            return self
        if self.places and self.places[-1] >= place:
            return Rests(self.places[:-1])
        return Rests((*self.places, place))

    def before(self, place: int) -> Rests:
        """As if nothing had become certain behind a place: the text there is read anew."""
        return Rests(self.places[: bisect_left(self.places, place)])

    def since(self, place: int) -> Rests:
        """What is needed to tell of boundaries that become certain behind a place."""
        passed = bisect_left(self.places, place)
        return Rests(self.places[passed - passed % 2 :])
