"""Numbers of statuses and actions, as plain integers for the kernels.

``operators.fusion.outputs`` gives them names and meanings to everybody else.
"""

from __future__ import annotations

OK = 0
NON_FINITE_FEATURE = 1
NON_FINITE_VECTOR = 2
NON_FINITE_LABEL = 3
RESERVED_ID = 4
LABEL_OUT_OF_RANGE = 5
TOO_LARGE = 6

GATE_CLAMPED = 1
GATE_STEPPED_DOWN = 2
GATE_HELD = 4
GATE_RECOVERING = 8
LAMBDA_RAISED = 16
LAMBDA_LOWERED = 32
DENOMINATOR_FLOORED = 64
MARGIN_ALARM = 128
RED_PERSISTED = 256
HLM_DIVERGED = 512
SERA_RESIDUAL = 1024
SERA_PROPOSED = 2048
SERA_SUCCEEDED = 4096
