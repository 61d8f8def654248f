"""What requests and answers look like, for the API's description; a test holds them to the models.

The numbers are made up; their shapes are those of ``learner.sera.d = 2``.
"""

from __future__ import annotations

from typing import Any, Final

_CARD: Final = {"tenant": "acme", "id": "card-4711"}
_SENT: Final = _CARD | {"event_id": "payment-90125", "time_us": 1_700_000_000_000_000}
_AS_OF: Final = {
    "topic": "events",
    "shard": 2,
    "offset": 31_415,
    "step": 31_402,
    "epoch": 0,
    "tree_size": 31_404,
    "chain_head": "9f64a747e1b97f131fabb6b447296c9b6f0201e79fb3c5356e6c77e89b6a806a",
}
_ACK: Final = {
    "ok": True,
    "topic": "events",
    "partition": 2,
    "offset": 31_415,
    "event_id": "payment-90125",
    "committed": True,
    "step": 31_403,
    "merkle_curr": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "ver_sera": 31_402,
    "ver_base": 3,
    "ver_delta": 7,
    "c_lookup_p100": 9,
    "c_insert_p100": 14,
    "prediction": {
        "step": 31_403,
        "y_hat": 0.031,
        "y_hlm": 0.044,
        "y_sera": 0.027,
        "gate": 0.71,
        "margin": 2.4,
    },
}
_MARK: Final = _ACK | {
    "ver_sera": None,
    "ver_base": None,
    "ver_delta": None,
    "c_lookup_p100": None,
    "c_insert_p100": None,
    "prediction": None,
}

REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "/Sera.Ingest": _SENT | {"key": [0.4, -1.1], "value": [1.0]},
    "/Sera.Query": _CARD | {"query": [0.4, -1.1]},
    "/Hlm.Update": _SENT | {"features": {"amount": 1.8, "hour=3": 1.0}, "label": 1.0},
    "/Hlm.Predict": _CARD | {"features": {"amount": 1.8, "hour=3": 1.0}},
    "/Fuse.Predict": _CARD
    | {
        "features": {"amount": 1.8, "hour=3": 1.0},
        "query": [0.4, -1.1],
        "context": {"channel": "web"},
    },
    "/Auditor.Append": _SENT
    | {"entry": {"reviewer": "j.doe", "decision": "released", "case": 117}},
}

ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "/Sera.Ingest": _ACK,
    "/Sera.Query": {
        "y_sera": 0.027,
        "readout": [0.027],
        "den": 14.2,
        "rj_gap": 0.03,
        "margin": 2.4,
        "ver_sera": 31_402,
        "as_of": _AS_OF,
    },
    "/Hlm.Update": _ACK,
    "/Hlm.Predict": {"y_hlm": 0.044, "ver_base": 3, "ver_delta": 7, "as_of": _AS_OF},
    "/Fuse.Predict": {
        "y_hat": 0.031,
        "y_sera": 0.027,
        "y_hlm": 0.044,
        "y_gate": 0.032,
        "y_meta": 0.031,
        "y_feature": 0.044,
        "gate": 0.71,
        "diagnostics": {"rj_gap": 0.03, "margin": 2.4, "den": 14.2},
        "versions": {"ver_sera": 31_402, "ver_base": 3, "ver_delta": 7},
        "as_of": _AS_OF,
    },
    "/Auditor.Append": _MARK,
}
