"""Activations made fit for 8 bits: ranges measured, outliers moved into the weights.

An outlying channel j of what goes into a linear layer is divided by s_j and the layer's weights of
that channel multiplied by it (SmoothQuant, Xiao et al. 2023). The division is folded into what
makes the channel: the gain of a norm, the value rows of attention, the value half of a gated MLP.
The network computes the same function as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from operators.dlp.network.layers import Attention, FastBlock, GatedMlp
    from operators.dlp.network.model import Network

STRENGTH: Final = 0.5
_SMALLEST: Final = 1e-5
_BINS: Final = 2048
_CANDIDATES: Final = 60


class Site(NamedTuple):
    """A tensor of activations that goes into linear layers.

    Attributes:
        layers: names of the linear layers that read it.
        maker: divides its channels, given [channels].
    """

    layers: tuple[str, ...]
    maker: Callable[[Tensor], None]


def sites(network: Network) -> Iterator[Site]:
    """Every input of a linear layer that runs over all tokens, upstream ones first."""
    blocks: list[tuple[str, FastBlock]] = [
        (f"lower.{number}", block)  # type: ignore[misc]
        for number, block in enumerate(network.lower)
    ]
    names = [f"upper.{number}" for number in range(len(network.upper))]
    if network.config.slow_tier:
        readers = [f"{name}.{part}" for name in names for part in ("gate_input", "from_input")]
        yield Site(tuple(readers), _gain(network.input_norm))
        for name, upper in zip(names, network.upper, strict=True):
            yield Site((f"{name}.gate_fast",), _gain(upper.fast_norm))
            blocks.append((f"{name}.block", upper.block))  # type: ignore[arg-type]
    else:
        blocks += zip(names, network.upper, strict=True)  # type: ignore[arg-type]
    for name, block in blocks:
        yield Site((f"{name}.attention.query_key_value",), _gain(block.attention_norm))
        yield Site((f"{name}.attention.out",), _value_rows(block.attention))
        yield Site((f"{name}.mlp.up",), _gain(block.mlp_norm))
        yield Site((f"{name}.mlp.down",), _value_half(block.mlp))


def _gain(norm: Any) -> Callable[[Tensor], None]:
    def divide(by: Tensor) -> None:
        norm.weight.data.div_(by)

    return divide


def _value_rows(attention: Attention) -> Callable[[Tensor], None]:
    weight = attention.query_key_value.weight

    def divide(by: Tensor) -> None:
        weight.data[2 * len(by) :].div_(by[:, None])

    return divide


def _value_half(mlp: GatedMlp) -> Callable[[Tensor], None]:
    weight = mlp.up.weight

    def divide(by: Tensor) -> None:
        weight.data[len(by) :].div_(by[:, None])

    return divide


@torch.no_grad()
def smooth(network: Network, run: Callable[[], Iterable[None]], strength: float = STRENGTH) -> None:
    """Move outliers into the weights, in place.

    Args:
        network: to be changed; it computes the same function afterwards.
        run: runs the network over the calibration set.
        strength: how much of an activation's range moves: the paper's alpha.
    """
    peaks: dict[str, Tensor] = {}

    def look(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            peak = inputs[0].abs().flatten(0, -2).amax(0)
            peaks[name] = torch.maximum(peaks[name], peak) if name in peaks else peak

        return hook

    every = list(sites(network))
    watched = [
        network.get_submodule(site.layers[0]).register_forward_pre_hook(look(site.layers[0]))
        for site in every
    ]
    for _ in run():
        pass
    for handle in watched:
        handle.remove()
    for site in every:
        layers = [network.get_submodule(name) for name in site.layers]
        weights = torch.stack([layer.weight.abs().amax(0) for layer in layers]).amax(0)  # type: ignore[operator,union-attr]
        peak = peaks[site.layers[0]].clamp(min=_SMALLEST)
        by = peak**strength / weights.clamp(min=_SMALLEST) ** (1 - strength)
        by = (by / by.log().mean().exp()).clamp(min=1e-2, max=1e2)
        site.maker(by)
        for layer in layers:
            layer.weight.data.mul_(by)  # type: ignore[operator,union-attr]


@torch.no_grad()
def ranges(network: Network, run: Callable[[], Iterable[None]]) -> dict[str, float]:
    """For each linear layer over tokens, the |input| that 8 bits should reach to.

    It is the one that leaves the least squared error over the calibration set: a few clipped
    outliers cost less than coarse steps for everything else.
    """
    counts: dict[str, Tensor] = {}
    peaks: dict[str, float] = {}

    def look(name: str, *, count: bool) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            sizes = inputs[0].abs().flatten()
            if count:
                found = torch.histc(sizes, _BINS, 0.0, peaks[name])
                counts[name] = counts[name] + found if name in counts else found
            else:
                peaks[name] = max(peaks.get(name, _SMALLEST), float(sizes.max()))

        return hook

    names = [site.layers[0] for site in sites(network)]
    for count in (False, True):
        watched = [
            network.get_submodule(name).register_forward_pre_hook(look(name, count=count))
            for name in names
        ]
        for _ in run():
            pass
        for handle in watched:
            handle.remove()
    best = {name: _best(counts[name], peaks[name]) for name in names}
    return {layer: best[site.layers[0]] for site in sites(network) for layer in site.layers}


def _best(counts: Tensor, peak: float) -> float:
    width = peak / _BINS
    middles = (torch.arange(_BINS) + 0.5) * width
    errors = []
    reaches = [peak * (number + 1) / _CANDIDATES for number in range(_CANDIDATES)]
    for reach in reaches:
        step = reach / 127
        clipped = (middles - reach).clamp(min=0) ** 2
        rounded = torch.where(middles < reach, step * step / 12, clipped)
        errors.append(float((counts * rounded).sum()))
    return reaches[min(range(_CANDIDATES), key=errors.__getitem__)]
