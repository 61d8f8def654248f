"""Training of the tokenizer on generated messages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import sentencepiece

from operators.dlp.generator.messages import generate
from operators.dlp.markers import Mark
from operators.dlp.tokenizer import PAD, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operators.dlp.generator.library import Library
    from operators.dlp.generator.pools import Pools

SIZE: Final = 16_000
_MESSAGES: Final = 9_000
_LENGTH: Final = 2_000
_FIRST_SEED: Final = 1 << 40


def train(pools: Pools, library: Library, size: int = SIZE, messages: int = _MESSAGES) -> bytes:
    """A unigram model with byte fallback; digits, line ends and marks are pieces of their own.

    Some three minutes on one core at the default size.
    """

    def lines() -> Iterator[str]:
        for seed in range(_FIRST_SEED, _FIRST_SEED + messages):
            for line in generate(seed, pools, library, _LENGTH).serialized.text.split("\n"):
                if line:
                    yield line[:2000]

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines(),
        model_writer=model,
        vocab_size=size,
        model_type="unigram",
        byte_fallback=True,
        character_coverage=0.9995,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        max_sentence_length=8000,
        input_sentence_size=400_000,
        shuffle_input_sentence=True,
        num_threads=1,
        pad_id=PAD,
        unk_id=UNKNOWN,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["<mask>"],
        user_defined_symbols=["\n", "\t", "\r", *(mark.value for mark in Mark)],
        minloglevel=2,
    )
    return model.getvalue()
