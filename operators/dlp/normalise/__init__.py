"""What the model reads instead of what the sender wrote: disguises undone, offsets kept.

In this order: HTML entities, percent-encoding, base64 and hex (one level, where the result is
text), zero-width and bidi controls, NFKC, confusables. A word that any of these changed in a way
that hides something is preceded by a mark (`operators.dlp.markers`), which is how the obfuscation
head learns of it; typographic changes (ligatures, no-break spaces, `&nbsp;`) are not marked.
"""

from operators.dlp.normalise.pipeline import normalise

__all__ = ["normalise"]
