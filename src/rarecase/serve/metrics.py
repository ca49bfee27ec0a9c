"""What Prometheus reads: how long requests wait and take, what was answered, and scores, in which drift is seen."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rarecase.guard.verdict import Verdict

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SCORES = tuple(step / 20 for step in range(1, 20))


class Metrics:
    """Counters, gauges and histograms of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.queue_seconds = self._seconds("queue", "until a request is read")
        self.tokenize_seconds = self._seconds("tokenize", "to normalise a request and cut it into windows")
        self.inference_seconds = self._seconds("inference", "to score a batch")
        self.waiting = Gauge("rarecase_waiting_characters", "of admitted requests", registry=self.registry)
        self.requests = self._counter("requests", "by path and status", "path", "status")
        self.texts = self._counter("texts", "by what was said of them", "label", "action")
        self.audit_failures = self._counter("audit_failures", "lines that could not be written")
        self.scores = Histogram(
            "rarecase_score", "of texts by class", ["class_name"], buckets=_SCORES, registry=self.registry
        )

    def count(self, verdicts: Sequence[Verdict]) -> None:
        """Adds what was said of some texts."""
        for verdict in verdicts:
            self.texts.labels(verdict.label or "", verdict.action).inc()
            for name, score in verdict.scores.items():
                self.scores.labels(name).observe(score)

    def text(self) -> bytes:
        """In Prometheus' format."""
        return generate_latest(self.registry)

    def _seconds(self, name: str, what: str) -> Histogram:
        return Histogram(f"rarecase_{name}_seconds", f"Seconds {what}", buckets=_SECONDS, registry=self.registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"rarecase_{name}", f"{name}, {what}", labels, registry=self.registry)
