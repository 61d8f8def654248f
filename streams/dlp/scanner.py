"""The scanner: rules over the whole text, the model segment by segment, one verdict.

    scanner = Scanner.load()
    verdict = scanner.scan(Message("…"))
    verdict = scanner.scan(Message("…", thread_position=1), memory=verdict.memory)

The same message, memory, model and policy give the same verdict on the same machine, whatever was
scanned before or at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.dlp.decoding import spans as decoded
from operators.dlp.dsl import serialize
from operators.dlp.fuse import fuse
from operators.dlp.policy import Evidence, audience
from operators.dlp.rules.find import find
from operators.dlp.segments import gravest, merged, padded, plan
from operators.dlp.tags import SCORES, TAGS, TypedSpan
from operators.dlp.tokenizer import Tokenizer
from operators.dlp.verdict import Placed, Verdict
from streams.dlp import policy_file
from streams.dlp.inference import Engine
from streams.dlp.package import SHIPPED, Package

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.dlp.decoding import Found
    from operators.dlp.dsl import Message, Serialized
    from operators.dlp.policy import Policy
    from operators.dlp.rules.hit import Hit
    from operators.dlp.tokenizer import Encoding

_SENSITIVITY, _EXPOSURE, _, _OBFUSCATION = range(4)
_HARMLESS: Final = 0.2
_SURE: Final = 0.9
_EXPOSED: Final = 0.7
_DISGUISED: Final = 0.6


@dataclass(frozen=True, slots=True)
class Exits:
    """When the model may stop before the end of a text (seed section 6).

    Attributes:
        block: stop where the first segments make it sure that the message is a leak. The spans
            of what follows are then the rules' alone.
        allow: stop where the first segment is harmless and the rules, which have read all of the
            text, know of nothing in it. Off: a model that reads on may find what rules do not.
    """

    block: bool = True
    allow: bool = False


NEVER: Final = Exits(block=False, allow=False)


class Read(NamedTuple):
    """What the model made of a text.

    Attributes:
        logits: of the four scores, the gravest of all segments, float32 [4].
        spans: tag logits of the tokens that were read, float32 [tokens, 21].
        memory: float32 [256].
        early_exit: ``allow``, ``block`` or None.
        segments: how many were read, and how many there are.
    """

    logits: NDArray[np.float32]
    spans: NDArray[np.float32]
    memory: NDArray[np.float32]
    early_exit: str | None
    segments: tuple[int, int]


class Scanner:
    """A model and a policy, ready to scan. Safe to call from several threads.

    Args:
        package: the model's files.
        engine: runs its graphs.
        policy: what to decide.
        exits: when the model may stop early.
    """

    def __init__(
        self, package: Package, engine: Engine, policy: Policy, exits: Exits | None = None
    ) -> None:
        self.package = package
        self.policy = policy
        self.exits = Exits() if exits is None else exits
        self._engine = engine
        self._tokenizer = Tokenizer(package.tokenizer)

    @classmethod
    def load(
        cls,
        model: Path = SHIPPED,
        policy: Path = policy_file.SHIPPED,
        *,
        exits: Exits | None = None,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 1,
    ) -> Scanner:
        """Load a model and a policy; the shipped ones by default.

        Raises:
            ModelUnusable: a file of the model is missing or damaged.
            PolicyUnusable: the policy makes no sense.
        """
        package = Package.open(model)
        engine = Engine(package.folder, providers, threads)
        return cls(package, engine, policy_file.load(policy), exits)

    def warm(self) -> None:
        """Load every graph, so that the first message does not wait."""
        self._engine.warm()

    def scan(
        self,
        message: Message,
        memory: NDArray[np.float32] | None = None,
        *,
        exits: Exits | None = None,
        shift: float = 0.0,
    ) -> Verdict:
        """Scan a message.

        Args:
            message: what is about to leave.
            memory: `Verdict.memory` of the message before it in its thread, float32 [256].
            exits: other than the scanner's own.
            shift: by how many logits the policy is stricter than its file says.

        Some 7 ms a KB on one core, most of it the model's.
        """
        serialized = serialize(message)
        encoding = self._tokenizer.encode(serialized.text)
        texts = _texts(message)
        hits = {
            section[:2]: find(texts[section[:2]], section.traced)
            for section in serialized.offset_map
        }
        known = any(hit.adds for found in hits.values() for hit in found)
        read = self._read(encoding, memory, exits or self.exits, known=known)
        spans = self._spans(serialized, encoding, read, texts, hits)
        chances = self.package.calibration.chances(read.logits)
        scores = {name: float(chance) for name, chance in zip(SCORES, chances, strict=True)}
        evidence = Evidence(
            scores, [(s.type, s.confidence, s.validated) for s in spans], audience(message), shift
        )
        decision, rationale = self.policy.decide(evidence)
        return Verdict(
            scores, tuple(spans), read.memory, flags_of(spans), decision, rationale,
            read.early_exit, read.segments, self.package.version, self.policy.version,
            self.package.digest,
        )  # fmt: skip

    def read(self, message: Message, memory: NDArray[np.float32] | None = None) -> Read:
        """What the model alone makes of a message, to its end; for calibration."""
        return self._read(
            self._tokenizer.encode(serialize(message).text), memory, NEVER, known=True
        )

    def _read(
        self,
        encoding: Encoding,
        memory: NDArray[np.float32] | None,
        exits: Exits,
        *,
        known: bool,
    ) -> Read:
        state = self._engine.start(memory)
        segments = plan(len(encoding.ids))
        scores: NDArray[np.float32] | None = None
        spans: list[NDArray[np.float32]] = []
        left, last = None, np.zeros(0, np.float32)
        for number, segment in enumerate(segments):
            out = self._engine.run(padded(encoding.ids, segment), state)
            spans.append(out.spans)
            scores = gravest(scores, out.scores)
            last = out.memory
            more = number + 1 < len(segments)
            left = self._exit(scores, exits, first=number == 0, known=known) if more else None
            if left is not None:
                break
            state = out.states[segment.handed]
        assert scores is not None, "a plan has at least one segment"
        count = len(spans)
        logits = merged(segments[:count], spans, len(TAGS))
        return Read(scores, logits, last, left, (count, len(segments)))

    def _exit(
        self, logits: NDArray[np.float32], exits: Exits, *, first: bool, known: bool
    ) -> str | None:
        chances = self.package.calibration.chances(logits)
        sensitive, exposed = chances[_SENSITIVITY], chances[_EXPOSURE]
        leaks = exposed > _EXPOSED or chances[_OBFUSCATION] > _DISGUISED
        if exits.block and sensitive > _SURE and leaks:
            return "block"
        harmless = sensitive < _HARMLESS and exposed < _HARMLESS
        return "allow" if exits.allow and first and harmless and not known else None

    def _spans(
        self,
        serialized: Serialized,
        encoding: Encoding,
        read: Read,
        texts: Mapping[tuple[str, int], str],
        hits: Mapping[tuple[str, int], list[Hit]],
    ) -> list[Placed]:
        seen = encoding
        if len(read.spans) < len(encoding.ids):
            count = len(read.spans)
            seen = type(encoding)(
                encoding.ids[:count], encoding.starts[:count], encoding.ends[:count]
            )
        guesses: dict[tuple[str, int], list[Found]] = {key: [] for key in texts}
        for guess in decoded(serialized.text, seen, read.spans):
            for part in serialized.to_fields(TypedSpan(*guess[:3])):
                guesses[part.field, part.index].append(
                    guess._replace(start=part.start, end=part.end)
                )
        return [
            Placed(key[0], key[1], *span)
            for key, text in texts.items()
            for span in fuse(text, guesses[key], hits[key], self.package.calibration)
        ]


def _texts(message: Message) -> dict[tuple[str, int], str]:
    texts = {("subject", 0): message.subject} if message.subject else {}
    texts["body", 0] = message.body
    texts |= {("attachment", n): one.text for n, one in enumerate(message.attachments)}
    return texts | {("link", n): link for n, link in enumerate(message.links)}


def flags_of(spans: Sequence[Placed]) -> dict[str, bool]:
    """What a text with these spans holds."""
    kinds = {span.type for span in spans}
    return {
        "has_nda": "NDA" in kinds,
        "has_matter": "MATTER" in kinds,
        "has_secret": bool(kinds & {"SECRET", "DBURI"}),
        "has_payment": "PAN" in kinds,
        "has_identity": "SSN" in kinds,
        "has_contact": bool(kinds & {"EMAIL", "PHONE", "ADDR", "NAME"}),
    }
