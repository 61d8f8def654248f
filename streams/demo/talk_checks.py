"""What must hold of conversations at the end of a run: one final verdict, that of the text."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from operators.dlp.redact import masked
from streams.demo.checks import NOT_EXACTLY_ONCE, Check
from streams.demo.talks import Revisions, first_given, is_final, judgement, revisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.demo.conversations import Conversation
    from streams.demo.talks import Verdict


class TalkResult(NamedTuple):
    """What came of one conversation.

    Attributes:
        name: of its stream.
        decision: of the final verdict; empty without one.
        confidence: of that decision.
        spans: type and masked text of what was found in the end.
        first_given: share of the text after which that decision was first given.
        revisions: of what was told on the way.
        verdicts: how many there were.
        once: whether there is one final verdict, with all numbers before it.
        same: whether it is that of the undisturbed text.
    """

    name: str
    decision: str
    confidence: float
    spans: tuple[tuple[str, str], ...]
    first_given: float
    revisions: Revisions
    verdicts: int
    once: bool
    same: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "decision": self.decision,
            "confidence": self.confidence,
            "spans": [kind for kind, _ in self.spans],
            "first_given": round(self.first_given, 4),
            **self.revisions._asdict(),
            "verdicts": self.verdicts,
            "exactly_once": self.once,
            "as_undisturbed": self.same,
        }


def by_stream(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Sort verdicts by the stream that they are on; each stream's keep their order."""
    found: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        found[verdict["target_id"]].append(verdict)
    return dict(found)


def is_once(verdicts: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a stream has one final verdict, the last, and no number twice or left out."""
    return (
        bool(verdicts)
        and [is_final(one) for one in verdicts] == [False] * (len(verdicts) - 1) + [True]
        and [one["sequence"] for one in verdicts] == list(range(len(verdicts)))
    )


def result_of(
    conversation: Conversation, verdicts: Sequence[Verdict], undisturbed: Verdict | None
) -> TalkResult:
    """Sum up what was said of a conversation.

    Args:
        conversation: the whole of it.
        verdicts: on it, in the order of the topic.
        undisturbed: final verdict on the same text in one piece.
    """
    finals = [one for one in verdicts if is_final(one)]
    if not finals:
        nothing = Revisions(0, 0, 0)
        return TalkResult(
            conversation.name, "", 0.0, (), 1.0, nothing, len(verdicts), once=False, same=False
        )
    final, text = finals[-1], conversation.text
    return TalkResult(
        conversation.name,
        final["decision"],
        final["confidence"],
        tuple((span["type"], masked(text[span["start"] : span["end"]])) for span in final["spans"]),
        first_given(verdicts, len(text)),
        revisions(verdicts),
        len(verdicts),
        once=is_once(verdicts),
        same=undisturbed is not None
        and all(judgement(one) == judgement(undisturbed) for one in finals),
    )


def check_verdicts(
    conversations: Sequence[Conversation], verdicts: Mapping[str, Sequence[Verdict]]
) -> Check:
    """Check that each conversation has one final verdict, with unbroken numbers before it."""
    once = [one.name for one in conversations if is_once(verdicts.get(one.name, ()))]
    strangers = len(verdicts.keys() - {one.name for one in conversations})
    broken = [one.name for one in conversations if one.name not in once]
    count = sum(map(len, verdicts.values()))
    found = f"{len(conversations)} conversations, {count:,} verdicts"
    if broken or strangers:
        others = f"; {strangers} streams that nobody typed" if strangers else ""
        text = f"{found}: not one final verdict after all others in {', '.join(broken) or 'none'}"
        return Check("verdicts", False, text + others, NOT_EXACTLY_ONCE)
    text = f"{found}: one final each, no number left out and none twice"
    return Check("verdicts", True, text, NOT_EXACTLY_ONCE)


def check_undisturbed(results: Sequence[TalkResult]) -> Check:
    """Check that the final verdicts are those of the same texts in one piece."""
    different = [one.name for one in results if not one.same]
    again = "the same texts in one piece, without Kafka and without a crash"
    text = (
        f"{again}: other final verdicts in {', '.join(different)}"
        if different
        else f"{again}: the same {len(results)} final verdicts, bit for bit"
    )
    return Check("undisturbed", not different, text, NOT_EXACTLY_ONCE)
