from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import deploy
from streams.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPLOY = Path(deploy.__path__[0])
_DASHBOARD = _DEPLOY / "grafana" / "dashboards" / "weir.json"
_ALERTS = _DEPLOY / "prometheus" / "alerts.yml"
_NAME = re.compile(r"\bweir_\w+")
_PROMETHEUS_S_OWN = {"le", "instance", "job"}


def _metrics() -> dict[str, tuple[str, set[str]]]:
    """Ask a worker's metrics what they are: for each name its kind and labels."""
    collectors = Metrics().registry._collector_to_names  # noqa: SLF001 - the registry does not list them
    found = {}
    for collector, names in collectors.items():
        kind = collector._type  # type: ignore[attr-defined]  # noqa: SLF001 - the same
        labels = set(collector._labelnames)  # type: ignore[attr-defined]  # noqa: SLF001 - the same
        # A counter's base name, a histogram's series: the longest common name is what it is called.
        name = f"{min(names, key=len)}_total" if kind == "counter" else min(names, key=len)
        found[name] = (kind, labels)
    return found


def _dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads(_DASHBOARD.read_text("utf-8"))
    return board


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(_ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _expressions() -> Iterator[tuple[str, str]]:
    for panel in _dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for rule in _rules():
        yield rule["alert"], rule["expr"]


@pytest.mark.parametrize(("place", "expression"), list(_expressions()))
def test_every_panel_and_alert_asks_for_metrics_that_exist(place: str, expression: str) -> None:
    """No panel is empty, and no alert silent, because a name or label is misspelt."""
    metrics = _metrics()
    asked = _NAME.findall(expression)
    assert asked or "up{" in expression, place
    labels = set(_PROMETHEUS_S_OWN)
    for name in asked:
        base = name
        if name not in metrics:
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert metrics[base][0] == "histogram", f"{place} asks for {name}"
        labels |= metrics[base][1]
    grouped = {
        label for names in re.findall(r"by \(([^)]*)\)", expression) for label in names.split(", ")
    }
    selected = set(re.findall(r"[{,](\w+)=", expression))
    assert grouped | selected <= labels, place


@pytest.mark.parametrize(("place", "expression"), list(_expressions()))
def test_rates_are_taken_of_counters_only(place: str, expression: str) -> None:
    """The rate of a gauge, or a counter shown bare, would draw nonsense."""
    metrics = _metrics()
    rated = set(re.findall(r"(?:rate|increase)\((weir_\w+)", expression))
    counters = {
        name
        for name in _NAME.findall(expression)
        if metrics.get(name, ("histogram", set()))[0] in {"counter", "histogram"}
    }
    assert rated == counters, place


def test_every_metric_is_on_the_dashboard() -> None:
    """Whatever a worker measures can be seen."""
    drawn = " ".join(
        target["expr"] for panel in _dashboard()["panels"] for target in panel.get("targets", [])
    )
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in _NAME.findall(drawn)}

    assert shown == set(_metrics())


def test_the_dashboard_can_be_drawn() -> None:
    """Panels have ids of their own and places that do not overlap; variables are defined."""
    board = _dashboard()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)

    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24

    defined = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__rate_interval"}
    assert used == defined


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    """Who is woken by an alert finds the shard, the severity and the first step in it."""
    rules = _rules()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert "$labels." in rule["annotations"]["summary"]
        assert len(rule["annotations"]["description"]) > 40
