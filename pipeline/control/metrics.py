"""All numbers among the properties of devices as Prometheus metrics.

A device of many alike, such as `daq.AGIPD00`, becomes the label `device` of a metric of all of them; what lies inside
an object becomes the label `of`, and a number among its keys the label `module`. Counts of events are counters,
distributions histograms, everything else gauges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pipeline.control.device import Registry

COUNTERS: Final = frozenset({"counters", "trains_received", "flags", "accounting", "pictures"})
"""Properties that count events."""
LABELS: Final = ("device", "module", "of")


class DeviceMetrics(Collector):
    """Collects from the devices whenever somebody asks."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before the first look."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric with its samples."""
        states = GaugeMetricFamily(
            "stellwerk_state", "1 for the state that a device is in", labels=["device", "state"]
        )
        families: dict[str, Metric] = {}
        for name, device in self._registry.items():
            described, about = device.describe(), device.schema()["properties"]
            states.add_metric([name, described["state"]], 1)
            stage, _, one = name.partition(".")
            for key, value in described["properties"].items():
                metric = f"stellwerk_{stage}_{key}".replace("-", "_")
                _add(families, metric, about[key]["about"], key, one, value)
        yield from families.values()
        yield states


def exposition(registry: Registry) -> CollectorRegistry:
    """A collector registry of the devices and of this process: memory, processor time, open files."""
    collectors = CollectorRegistry()
    ProcessCollector(registry=collectors)
    collectors.register(DeviceMetrics(registry))
    return collectors


def text_of(collectors: CollectorRegistry) -> bytes:
    """Prometheus' text format, version 0.0.4."""
    return generate_latest(collectors)


def _add(families: dict[str, Metric], metric: str, about: str, key: str, device: str, value: Any) -> None:
    if isinstance(value, dict) and "buckets" in value:
        family = families.setdefault(metric, HistogramMetricFamily(metric, about, labels=["device"]))
        assert isinstance(family, HistogramMetricFamily)
        family.add_metric([device], [(limit, count) for limit, count in value["buckets"]], value["sum"])
        return
    samples = list(_samples(value, {"device": device} if device else {}))
    if not samples:
        return
    kind = CounterMetricFamily if key in COUNTERS else GaugeMetricFamily
    family = families.setdefault(metric, kind(metric, about))
    for labels, number in samples:
        name = f"{metric}_total" if key in COUNTERS else metric
        family.add_sample(name, labels, float(number))


def _samples(value: Any, labels: dict[str, str]) -> Iterator[tuple[dict[str, str], float]]:
    if isinstance(value, bool | int | float):
        yield labels, float(value)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _samples(part, _with(labels, str(key)))


def _with(labels: dict[str, str], key: str) -> dict[str, str]:
    """The labels one step deeper."""
    if key.isdecimal() and "module" not in labels:
        return {**labels, "module": key}
    return {**labels, "of": f"{labels['of']}.{key}" if "of" in labels else key}
