"""Metrics for Prometheus: requests as they pass, and the installation's state when asked.

Labels are states, endpoints and models; never a file's name or an id.
"""

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
from webapp.settings import Settings
from webapp.storage.database import REVISION, Database
from webapp.storage.tables import AnalysisRow, State, UploadRow

CONTENT_TYPE = CONTENT_TYPE_LATEST
_DURATION_BUCKETS = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)  # seconds
_LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def install(app: Flask) -> None:
    """Measure every request of this process from now on."""
    registry = CollectorRegistry()
    labels = ("method", "endpoint", "status")
    requests = Counter("reelproof_http_requests", "Requests answered", labels, registry=registry)
    latency = Histogram(
        "reelproof_http_request_seconds",
        "From the start of a request's handling to its answer; bodies are in before and sent after",
        ("endpoint",),
        buckets=_LATENCY_BUCKETS,
        registry=registry,
    )
    received = Counter("reelproof_http_received_bytes", "Bytes of requests' bodies", registry=registry)
    registry.register(_StateCollector(app.extensions["settings"], app.extensions["database"]))
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
    """Return all metrics in Prometheus's text format."""
    return generate_latest(app.extensions["metrics"])


class _StateCollector(Collector):
    """Metrics from the database and the disk, read for each response."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering does not need the tables."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield from self._state()
        yield from self._durations()
        yield from self._uploads()

    def _state(self) -> Iterator[Metric]:
        state = alerts.gather_state(self._settings, self._database)
        for name, counts in state.states.items():
            jobs = GaugeMetricFamily(f"reelproof_{name}", f"{name.capitalize()} by state", labels=["state"])
            for job_state, count in counts.items():
                jobs.add_metric([job_state], count)
            yield jobs
        heartbeats = GaugeMetricFamily(
            "reelproof_worker_heartbeat_age_seconds",
            "Since the last heartbeat of a worker service",
            labels=["worker"],
        )
        for worker in state.workers:
            heartbeats.add_metric([worker.name], worker.age.total_seconds())
        yield heartbeats
        info = GaugeMetricFamily("reelproof_info", "What runs here", labels=["version", "tables"])
        info.add_metric([__version__, REVISION], 1)
        yield info
        for name, help_text, value in _unlabelled(state):
            yield GaugeMetricFamily(f"reelproof_{name}", help_text, value)
        with self._database.begin() as session:
            raised = alerts.raised_alerts(session)
        alert_family = GaugeMetricFamily("reelproof_alert", "Thresholds that are passed", labels=["name"])
        for kind in alerts.KINDS:
            alert_family.add_metric([kind.name], kind.name in raised)
        yield alert_family

    def _durations(self) -> Iterator[Metric]:
        done = (AnalysisRow.state == State.DONE, AnalysisRow.started.is_not(None))
        query = select(AnalysisRow.model, AnalysisRow.started, AnalysisRow.finished).where(*done)
        by_model: dict[str, list[float]] = {}
        with self._database.begin() as session:
            for model, started, finished in session.execute(query):
                if started is not None and finished is not None:
                    by_model.setdefault(model or "", []).append((finished - started).total_seconds())
        family = HistogramMetricFamily(
            "reelproof_analysis_seconds", "Duration of stored analyses", labels=["model"]
        )
        for model, durations in sorted(by_model.items()):
            buckets = [
                (str(float(edge)), float(sum(duration <= edge for duration in durations)))
                for edge in _DURATION_BUCKETS
            ]
            family.add_metric([model], [*buckets, ("+Inf", float(len(durations)))], sum(durations))
        yield family

    def _uploads(self) -> Iterator[Metric]:
        query = select(func.count(), func.sum(UploadRow.received), func.sum(UploadRow.size))
        with self._database.begin() as session:
            count, received, size = session.execute(query.where(UploadRow.analysis_id.is_(None))).one()
        yield GaugeMetricFamily("reelproof_uploads_unfinished", "Unfinished resumable uploads", count)
        yield GaugeMetricFamily("reelproof_uploads_received_bytes", "Bytes of them received", received or 0)
        yield GaugeMetricFamily("reelproof_uploads_announced_bytes", "Bytes of them announced", size or 0)


def _unlabelled(state: alerts.InstallationState) -> Iterator[tuple[str, str, float]]:
    """Yield name, help text and value of metrics without labels, if there is a value."""
    yield "queue_age_seconds", "Age of the oldest waiting job", state.waited.total_seconds()
    yield "exhibits", "Stored exhibits", state.exhibits
    yield "exhibit_bytes", "Bytes of stored exhibits", state.exhibit_bytes
    yield "exhibits_damaged", "Exhibits whose file is damaged or missing", state.damaged
    yield "webhook_messages_waiting", "Messages to deliver", state.messages
    yield "disk_free_bytes", "Free on the disk of the data folder", state.disk_free
    yield "disk_bytes", "Size of that disk", state.disk_size
    yield "custody_entries", "Entries of the custody log", state.entries
    yield "custody_damaged", "1 once the custody log was found changed", state.custody.damaged is not None
    for name, event, moment in (
        ("backup", "the last backup", state.backup),
        ("custody_check", "the custody log was last found intact", state.custody.fits),
        ("integrity_check", "all exhibits were last checked", state.integrity),
    ):
        if moment is not None:
            yield f"{name}_age_seconds", f"Since {event}", (state.moment - moment).total_seconds()
