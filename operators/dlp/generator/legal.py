"""Matter numbers and the words of confidentiality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dlp.generator.numbers import fill

if TYPE_CHECKING:
    from random import Random

_MATTERS: Final = (
    "20##-#####", "20##-####", "M-20##-####", "MAT-#####", "MAT-20##-####", "#####-####", "####.####",
    "####-###", "@@@-####-##", "20##/####", "CV-20##-######", "1:##-cv-#####", "2:##-cv-0####-@@@",
    "3:##-cr-00###", "##-cv-####", "##-@@-#####", "@@-##-####", "@@##-#####", "@@@/####/##", "L-#####-##",
    "##-#####-@@@", "20##-CA-00####", "20## CV #####", "######.#####", "@@@@/##-###", "C-###/##",
    "####/@@@/20##", "T-###/20##", "HC-20##-00####", "[20##] @@@@ ###", "#####/##", "##-####", "####-#####-#",
    "M##-###", "@#####-###", "CASE-20##-#####", "MTR####-##", "@@@-M-#####", "##@@-@@#####",
)  # fmt: skip
_TERMS: Final = (
    "NDA", "NDA", "NDA", "NDAs", "non-disclosure agreement", "Non-Disclosure Agreement",
    "non-disclosure agreement", "nondisclosure agreement", "mutual NDA", "Mutual NDA", "MNDA",
    "Mutual Non-Disclosure Agreement", "confidentiality agreement", "Confidentiality Agreement",
    "Confidential Information", "Confidential Information", "Disclosing Party", "Receiving Party",
    "strictly confidential", "Strictly Confidential", "STRICTLY CONFIDENTIAL",
    "privileged and confidential", "Privileged and Confidential", "PRIVILEGED AND CONFIDENTIAL",
    "Privileged & Confidential", "attorney-client privilege", "attorney-client privileged",
    "Attorney-Client Communication", "Attorney Work Product", "attorney work product",
    "trade secrets", "trade secret", "Trade Secrets", "duty of confidentiality",
    "confidentiality obligations", "confidentiality clause", "obligation of confidentiality",
    "one-way NDA", "bilateral NDA", "unilateral NDA", "non-disclosure obligations", "CONFIDENTIAL",
    "Proprietary and Confidential", "proprietary and confidential", "Company Confidential",
    "non-disclosure", "non-disclosure provisions", "confidential disclosure agreement", "CDA",
    "settlement confidentiality", "under NDA", "Confidentiality Undertaking", "NDA'd",
)  # fmt: skip


def matter(rng: Random) -> str:
    """The number of a legal matter, case or docket."""
    return fill(rng, rng.choice(_MATTERS))


def term(rng: Random) -> str:
    """A phrase that puts something under confidentiality."""
    return rng.choice(_TERMS)
