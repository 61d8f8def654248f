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

# What the event showed.
DENOMINATOR_FLOORED = 1 << 6
MARGIN_ALARM = 1 << 7
RED_PERSISTED = 1 << 8
HLM_DIVERGED = 1 << 9
MARGIN_THIN = 1 << 10
HLM_PRESSURE = 1 << 11
SERA_RESIDUAL = 1 << 21

# What was done about it.
GATE_CLAMPED = 1 << 0
GATE_STEPPED_DOWN = 1 << 1
GATE_HELD = 1 << 2
GATE_RECOVERING = 1 << 3
LAMBDA_RAISED = 1 << 4
LAMBDA_LOWERED = 1 << 5
BETA_RAISED = 1 << 12
BETA_LOWERED = 1 << 13
LR_REDUCED = 1 << 14
LR_RECOVERING = 1 << 15
TAU_LOWERED = 1 << 16
TAU_RELEASED = 1 << 17
REBUILD_REQUESTED = 1 << 18
CAPACITY_RAISED = 1 << 19
STAGE_ADVANCED = 1 << 20
SERA_PROPOSED = 1 << 22
SERA_SUCCEEDED = 1 << 23
