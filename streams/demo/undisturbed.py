"""The verdicts on conversations that arrive whole, without Kafka and without a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.codec import Codec
from streams.demo.keyboard import token
from streams.demo.talks import is_final
from streams.hierarchy.in_memory import ShardInMemory
from streams.hierarchy.model import StreamModel
from streams.hierarchy.worker import buffer_config

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.demo.conversations import Conversation
    from streams.settings import Settings

_TIME_US: Final = 1_700_000_000_000_000


def undisturbed(
    settings: Settings, conversations: Iterable[Conversation]
) -> dict[str, dict[str, Any]]:
    """Return the final verdict on each conversation that comes as one piece, by its name.

    Some seconds for the model, and a tenth of a second a conversation.

    Args:
        settings: of the worker that is compared with this.
        conversations: what is said.

    Raises:
        ModelUnusable: the model cannot be used.
        PolicyUnusable: the policy cannot be used.
    """
    model = StreamModel.load(
        buffer_config(settings), settings.hierarchy.model, settings.hierarchy.policy
    )
    encode, decode = Codec("token").encode, Codec("verdict").decode
    pieces = [token(one, 0, one.text, _TIME_US, is_last=True) for one in conversations]
    unit = ShardInMemory(settings, model).take([encode(piece) for piece in pieces])
    verdicts = (decode(message["value"]) for message in unit.outputs["verdicts"])
    return {verdict["target_id"]: verdict for verdict in verdicts if is_final(verdict)}
