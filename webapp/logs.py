"""Logging, as text or, with ``REELPROOF_LOG=json``, as one JSON object a line."""

from __future__ import annotations

import json
import logging
import secrets
import time
from datetime import UTC, datetime

from flask import Flask, Response, g, has_request_context, request

from detector import timestamps
from detector.schema.formatting import escape_directions

HEADER = "X-Request-Id"
_log = logging.getLogger("webapp.requests")
_JSON_ONLY = (_log.name, "webapp.worker.run_job")  # loggers whose lines the text log leaves out


class JsonLines(logging.Formatter):
    """Format a record as one JSON object: time, level, logger, message, request id, and added ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": timestamps.iso_milliseconds(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request"] = g.request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


class _Text(logging.Formatter):
    """Format a record as text, in which nothing changes the reading direction."""

    def format(self, record: logging.LogRecord) -> str:
        return escape_directions(super().format(record))


def configure(*, as_json: bool) -> None:
    """Send the messages of this process to standard error."""
    handler = logging.StreamHandler()
    text = _Text("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if as_json else text)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    if as_json:
        for name in _JSON_ONLY:
            logging.getLogger(name).setLevel(logging.INFO)


def log_early_response(method: str, status: int) -> str:
    """Log a request that the server answers before the app sees it, and return an id for it."""
    request_id = secrets.token_hex(8)
    fields = {"request": request_id, "method": method, "route": None, "status": status}
    _log.info("%s %s", method, status, extra={"fields": fields})
    return request_id


def install(app: Flask) -> None:
    """Give each request an id, returned in a header, and log requests in the JSON log."""

    @app.before_request
    def begin() -> None:
        g.request_id, g.arrived = secrets.token_hex(8), time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        if "request_id" not in g:
            return response
        response.headers[HEADER] = g.request_id
        if _log.isEnabledFor(logging.INFO) and request.endpoint != "static":
            principal = g.get("principal")
            fields = {
                "method": request.method,
                "route": str(request.url_rule) if request.url_rule else None,
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - g.arrived) * 1000, 1),
                "bytes": response.content_length,
                "who": principal.name if principal is not None else None,
            }
            _log.info("%s %s", request.method, response.status_code, extra={"fields": fields})
        return response
