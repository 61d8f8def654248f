"""The second act: conversations are judged while they are typed, a worker is killed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.codec import Codec
from streams.demo.checks import values
from streams.demo.conversations import conversations
from streams.demo.followers import Follower
from streams.demo.keyboard import Keyboard, strokes
from streams.demo.talk_checks import by_stream, check_undisturbed, check_verdicts, result_of
from streams.demo.talk_report import TalkReport
from streams.demo.talks import Talks
from streams.demo.undisturbed import undisturbed

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from streams.demo.acts import Plan
    from streams.demo.checks import Check
    from streams.demo.crew import Crew
    from streams.demo.scene import Scene
    from streams.demo.watch import Watch
    from streams.settings import Settings

SECONDS: Final = 24.0
CRASH_SHARE: Final = 0.45
REST_SHARE: Final = 0.7
"""Of the pieces; with so many typed, people wait for a worker that is down: what they type in the
end is judged under the eyes of who watches, however slow the machine."""


class Talking:
    """Takes the second act to its end.

    Args:
        plan: what is wanted.
        settings: of the run.
        scene: kept true.
        watch: looks at the run.

    Attributes:
        report: what came of it; None before `check`.
    """

    def __init__(self, plan: Plan, settings: Settings, scene: Scene, watch: Watch) -> None:
        self._plan = plan
        self._settings = settings
        self._scene = scene
        self._watch = watch
        self._expected: Future[dict[str, dict[str, Any]]] | None = None
        self._conversations = conversations()
        self._strokes = strokes(self._conversations, SECONDS)
        self._half_within_s: float | None = None
        self._takeover_s: float | None = None
        self.report: TalkReport | None = None

    def play(self, crew: Crew, pool: Executor) -> None:
        """Type everything and wait for the final verdicts.

        Args:
            crew: has a worker that serves.
            pool: where the same texts are judged in one piece, once the typing is over.
        """
        watch, count = self._watch, len(self._conversations)
        talks = self._scene.talks = Talks(self._conversations, len(self._strokes))
        watch.verdicts = Follower(self._settings, "verdicts")
        rest_at = int(REST_SHARE * len(self._strokes)) if self._plan.crash else None
        watch.keyboard = keyboard = Keyboard(self._settings, self._strokes, rest_at)
        if watch.quarantine is None:
            watch.quarantine = Follower(self._settings, "quarantine")
            watch.quarantine.start()
        watch.verdicts.start()
        watch.keyboard.start()
        step = watch.begin(f"Typing {count} conversations, which are judged meanwhile")
        if self._plan.crash:
            killing = int(CRASH_SHARE * len(self._strokes))
            watch.until(lambda: talks.sent >= killing and talks.verdicts > 0, "verdicts")
            self._half_within_s = talks.half_within_s
            self._crash(crew, talks)
            keyboard.go_on()
        watch.until(lambda: talks.are_judged, "the final verdicts")
        self._expected = pool.submit(undisturbed, self._settings, self._conversations)
        if not self._plan.crash:
            self._half_within_s = talks.half_within_s
        step.finish(
            f"Typed {count} conversations in {talks.sent:,} pieces: {talks.verdicts:,} verdicts"
        )

    def _crash(self, crew: Crew, talks: Talks) -> None:
        """Kill the worker and start another one; the typing goes on meanwhile."""
        sent, verdicts = talks.sent, talks.verdicts
        killed = f"Killed the worker (kill -9) after {verdicts:,} verdicts"
        step = self._watch.begin(f"{killed}; the next one starts, the typing goes on")
        self._takeover_s = crew.replace()
        step.finish(f"{killed}; {talks.sent - sent:,} pieces were typed until the next one served")

    def check(self) -> list[Check]:
        """Read the verdicts back, and compare; the worker has stopped."""
        assert self._expected is not None
        expected = self._expected.result()
        decode = Codec("verdict").decode
        verdicts = by_stream(decode(value) for value in values(self._settings, "verdicts"))
        results = [
            result_of(one, verdicts.get(one.name, []), expected.get(one.name))
            for one in self._conversations
        ]
        self.report = TalkReport(
            results, len(self._strokes), SECONDS, self._half_within_s, self._takeover_s
        )
        return [check_verdicts(self._conversations, verdicts), check_undisturbed(results)]
