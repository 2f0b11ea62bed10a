"""Metrics for Prometheus: requests as they pass, and what rows, workers and disk say when asked."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from detector.version import __version__
from webapp.operations import alerts
from webapp.operations import alerts as operations_alerts
from webapp.operations.alerts import InstallationState
from webapp.settings import Settings
from webapp.storage.database import REVISION, Database
from webapp.storage.tables import AnalysisRow, State, UploadRow

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)
_LATENCIES = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def install(app: Flask) -> None:
    """Count every request of this process from here on."""
    registry = CollectorRegistry()
    labels = ("method", "endpoint", "status")
    requests = Counter("reelproof_http_requests", "Requests answered", labels, registry=registry)
    latency = Histogram(
        "reelproof_http_request_seconds",
        "From the start of a request's handling to its answer; bodies are in before and sent after",
        ("endpoint",),
        buckets=_LATENCIES,
        registry=registry,
    )
    received = Counter("reelproof_http_received_bytes", "Bytes of requests' bodies", registry=registry)
    registry.register(_Rows(app.extensions["settings"], app.extensions["database"]))
    app.extensions["metrics"] = registry

    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        method = request.method if request.method in _METHODS else "other"
        requests.labels(method, endpoint, str(response.status_code)).inc()
        latency.labels(endpoint).observe(time.perf_counter() - g.get("begun", time.perf_counter()))
        received.inc(max(request.content_length or 0, 0))
        return response


def render_metrics(app: Flask) -> bytes:
    """All figures, in the text format of Prometheus."""
    return generate_latest(app.extensions["metrics"])


class _Rows(Collector):
    """What the database and the disk say, read anew for each answer."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    def describe(self) -> list[Metric]:
        """Nothing in advance: registering must not need the tables."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family after another."""
        yield from self._watched()
        yield from self._durations()
        yield from self._uploads()

    def _watched(self) -> Iterator[Metric]:
        """What the page of operations shows."""
        found = operations_alerts.gather_state(self._settings, self._database)
        for name, of_state in found.states.items():
            states = GaugeMetricFamily(f"reelproof_{name}", f"{name.capitalize()} by state", labels=["state"])
            for state, count in of_state.items():
                states.add_metric([state], count)
            yield states
        beats = GaugeMetricFamily(
            "reelproof_worker_heartbeat_age_seconds", "Since a worker service was heard of", labels=["worker"]
        )
        for worker in found.workers:
            beats.add_metric([worker.name], worker.age.total_seconds())
        yield beats
        runs = GaugeMetricFamily("reelproof_info", "What runs here", labels=["version", "tables"])
        runs.add_metric([__version__, REVISION], 1)
        yield runs
        for name, words, value in _single(found):
            yield GaugeMetricFamily(f"reelproof_{name}", words, value)
        with self._database.begin() as session:
            raised = alerts.raised_alerts(session)
        told = GaugeMetricFamily("reelproof_alert", "Thresholds that are passed", labels=["name"])
        for kind in alerts.KINDS:
            told.add_metric([kind.name], kind.name in raised)
        yield told

    def _durations(self) -> Iterator[Metric]:
        done = (AnalysisRow.state == State.DONE, AnalysisRow.started.is_not(None))
        query = select(AnalysisRow.model, AnalysisRow.started, AnalysisRow.finished).where(*done)
        seconds: dict[str, list[float]] = {}
        with self._database.begin() as session:
            for model, started, finished in session.execute(query):
                if started is not None and finished is not None:
                    seconds.setdefault(model or "", []).append((finished - started).total_seconds())
        family = HistogramMetricFamily(
            "reelproof_analysis_seconds", "How long analyses that are kept took", labels=["model"]
        )
        for model, found in sorted(seconds.items()):
            buckets = [(str(float(edge)), float(sum(one <= edge for one in found))) for edge in _SECONDS]
            family.add_metric([model], [*buckets, ("+Inf", float(len(found)))], sum(found))
        yield family

    def _uploads(self) -> Iterator[Metric]:
        unfinished = UploadRow.analysis_id.is_(None)
        query = select(func.count(), func.sum(UploadRow.received), func.sum(UploadRow.size)).where(unfinished)
        with self._database.begin() as session:
            count, came, size = session.execute(query).one()
        yield GaugeMetricFamily("reelproof_uploads_unfinished", "Uploads in parts on their way", count)
        yield GaugeMetricFamily("reelproof_uploads_received_bytes", "Bytes of them received", came or 0)
        yield GaugeMetricFamily("reelproof_uploads_announced_bytes", "Bytes of them announced", size or 0)


def _single(found: InstallationState) -> Iterator[tuple[str, str, float]]:
    """Figures without labels; what never happened has none."""
    yield "queue_age_seconds", "Age of the oldest job that waits", found.waited.total_seconds()
    yield "exhibits", "Exhibits kept", found.exhibits
    yield "exhibit_bytes", "Bytes of exhibits kept", found.exhibit_bytes
    yield "exhibits_damaged", "Exhibits whose file is damaged or missing", found.damaged
    yield "webhook_messages_waiting", "Messages to deliver", found.messages
    yield "disk_free_bytes", "Free on the disk of the data folder", found.disk_free
    yield "disk_bytes", "Size of that disk", found.disk_size
    yield "custody_entries", "Entries of the custody log", found.entries
    yield "custody_damaged", "1 once the custody log was found changed", found.custody.damaged is not None
    for name, what, moment in (
        ("backup", "the last backup", found.backup),
        ("custody_check", "the custody log was last found whole", found.custody.fits),
        ("integrity_check", "all exhibits were last hashed again", found.integrity),
    ):
        if moment is not None:
            yield f"{name}_age_seconds", f"Since {what}", (found.moment - moment).total_seconds()
