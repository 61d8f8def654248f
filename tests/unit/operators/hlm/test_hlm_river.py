from __future__ import annotations

from typing import Any

import numpy as np
from river import datasets, linear_model, optim

from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm


def test_agrees_with_river_on_real_data() -> None:
    """River's linear regression on its phishing data predicts the same, to 1e-14 relative.

    River halves nothing: its squared loss has gradient 2(p - y), so its rate is half of ours. Its
    order of operations differs, hence not bit for bit.
    """
    rate = 0.03
    river: Any = linear_model.LinearRegression(optimizer=optim.SGD(rate / 2), intercept_lr=rate / 2)
    hlm = Hlm(HlmConfig(lr=rate), salt=7)
    ids: dict[str, int] = {}
    theirs, ours = [], []

    for features, label in datasets.Phishing():
        event = [ids.setdefault(name, len(ids)) for name in features], list(features.values())
        theirs.append(river.predict_one(features))
        river.learn_one(features, float(label))
        ours.append(hlm.predict(*event))
        hlm.update(*event, float(label))

    assert len(ours) == 1250
    np.testing.assert_allclose(ours, theirs, rtol=1e-14, atol=1e-14)
    learnt = dict(zip(*(part.tolist() for part in hlm.items()), strict=True))
    np.testing.assert_allclose(
        [learnt[ids[name]] for name in river.weights], list(river.weights.values()), rtol=1e-14
    )
