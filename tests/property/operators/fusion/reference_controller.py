"""The controller in plain Python: what the health of one event changes for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from operators.fusion.outputs import Action

if TYPE_CHECKING:
    from operators.fusion.cell import CellConfig


class Shown(NamedTuple):
    """What an event showed; ``crowded`` and ``diverged`` are Hlm's troubles.

    At a label that comes late nothing is ``predicted``, and what goes by events stands still.
    """

    predicted: bool
    alarm: bool
    red: bool
    floored: bool
    labelled: bool
    tested: bool
    margin: float
    crowded: bool
    diverged: bool


def persists(bits: list[bool], bit: bool, limit: int) -> tuple[list[bool], bool]:
    """The last ten bits and whether ``limit`` of them are set, upon which they are forgotten."""
    bits = [*bits, bit][-10:]
    return ([], True) if sum(bits) >= limit else (bits, False)


class ReferenceController:
    """Controls in force, as attributes."""

    def __init__(self, config: CellConfig) -> None:
        self.config = config
        f = config.fusion
        self.g_max, self.hold = f.g_max, 0
        self.reds: list[bool] = []
        self.thins: list[bool] = []
        self.lam, self.beta = config.sera.lambda_star, config.sera.beta_floor
        self.share, self.calm = 1.0, 0
        self.tau_low = config.hlm.tau_low
        self.stage, self.healthy = (0 if f.rollout == "staged" else 2), 0

    @property
    def free(self) -> bool:
        """Whether the clamp is at its ceiling."""
        return self.g_max == self.config.fusion.g_max

    def advance(self, shown: Shown) -> Action:
        """Set the controls for the next event; what was decided and why."""
        f = self.config.fusion
        free = self.free
        persisted = False
        if shown.predicted:
            self.reds, persisted = persists(self.reds, shown.red, f.red_limit)
        thin = sum(self.thins) >= f.red_limit
        if shown.labelled:
            self.thins, thin = persists(self.thins, shown.margin < f.thin_margin, f.red_limit)
        trigger = shown.alarm or persisted
        unsettled = trigger or thin or shown.crowded or shown.diverged
        causes = {
            Action.MARGIN_ALARM: shown.alarm,
            Action.RED_PERSISTED: persisted,
            Action.MARGIN_THIN: thin,
            Action.DENOMINATOR_FLOORED: shown.floored,
            Action.HLM_PRESSURE: shown.crowded,
            Action.HLM_DIVERGED: shown.diverged,
        }
        actions = Action(0)
        for cause, holds in causes.items():
            actions |= cause if holds else Action(0)
        actions |= self.roll_out(shown, stopped=trigger or not free)
        if not shown.predicted and not trigger:
            if unsettled:
                actions |= self.calm_down(unsettled) | self.mark(unsettled)
            return actions
        actions |= self.clamp(trigger, shown.floored) | self.restrain(trigger, shown.floored)
        return actions | self.calm_down(unsettled) | self.mark(unsettled)

    def restrain(self, trigger: bool, floored: bool) -> Action:
        """Raise what holds attention back, or let it go back."""
        f = self.config.fusion
        actions = Action(0)
        if trigger or floored:
            if self.lam < f.lambda_max and f.lambda_step:
                actions |= Action.LAMBDA_RAISED
                self.lam = min(self.lam + f.lambda_step, f.lambda_max)
        elif self.lam > self.config.sera.lambda_star:
            actions |= Action.LAMBDA_LOWERED
            self.lam = self.back(self.lam, self.config.sera.lambda_star)
        if trigger:
            if self.beta < self.config.beta_max and f.beta_step:
                actions |= Action.BETA_RAISED
                self.beta = min(self.beta + f.beta_step, self.config.beta_max)
        elif self.beta > self.config.sera.beta_floor:
            actions |= Action.BETA_LOWERED
            self.beta = self.back(self.beta, self.config.sera.beta_floor)
        return actions

    def back(self, value: float, rest: float) -> float:
        """A step of the way back to where a control rests."""
        value -= self.config.fusion.recovery * (value - rest)
        return rest if value - rest < 1e-3 * rest else value

    def clamp(self, trigger: bool, floored: bool) -> Action:
        """Lower, hold or raise the gate's upper clamp."""
        f = self.config.fusion
        if trigger:
            above = self.g_max > f.g_hold
            self.g_max = f.g_hold if above else self.g_max * f.step_down
            self.hold = f.hold
            return Action.GATE_STEPPED_DOWN
        if floored and self.g_max > f.g_weak:
            self.g_max, self.hold = f.g_weak, 1
            return Action.GATE_STEPPED_DOWN
        if self.hold:
            self.hold -= 1
            return Action.GATE_HELD
        if self.g_max < f.g_max:
            self.g_max += f.recovery * (f.g_max - self.g_max)
            self.g_max = f.g_max if f.g_max - self.g_max < 1e-3 else self.g_max
            return Action.GATE_RECOVERING
        return Action(0)

    def calm_down(self, unsettled: bool) -> Action:
        """Reduce, hold or raise Hlm's learning rate."""
        f = self.config.fusion
        if unsettled:
            self.share, self.calm = f.lr_calm, f.hold
            return Action.LR_REDUCED if f.lr_calm < 1.0 else Action(0)
        if self.calm:
            self.calm -= 1
        elif self.share < 1.0:
            self.share += f.recovery * (1.0 - self.share)
            self.share = 1.0 if 1.0 - self.share < 1e-3 else self.share
            return Action.LR_RECOVERING
        return Action(0)

    def mark(self, unsettled: bool) -> Action:
        """Lower or release the load at which rebuilds begin."""
        alert = min(self.config.fusion.tau_low_alert, self.config.hlm.tau_low)
        if unsettled:
            lowered = self.tau_low > alert
            self.tau_low = min(self.tau_low, alert)
            return Action.TAU_LOWERED if lowered else Action(0)
        if self.tau_low < self.config.hlm.tau_low and self.share == 1.0 and self.free:
            self.tau_low = self.config.hlm.tau_low
            return Action.TAU_RELEASED
        return Action(0)

    def roll_out(self, shown: Shown, *, stopped: bool) -> Action:
        """Count healthy events; let the next part join."""
        f = self.config.fusion
        if stopped or shown.margin < f.healthy_margin:
            self.healthy = 0
            return Action(0)
        if self.stage == 2 or not (shown.labelled and shown.tested):
            return Action(0)
        self.healthy += 1
        if self.healthy < f.stage_events:
            return Action(0)
        self.stage, self.healthy = self.stage + 1, 0
        return Action.STAGE_ADVANCED
