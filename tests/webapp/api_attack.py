"""Schemathesis against the app, in process; takes a second to import, so only tests that attack do."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from uuid import uuid4

import schemathesis
from flask import Flask
from made_results import finished, hand_in
from schemathesis.config import (
    CacheConfig,
    ChecksConfig,
    GenerationConfig,
    OperationConfig,
    OperationsConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
    SimpleCheckConfig,
)
from schemathesis.config._checks import MissingRequiredHeaderConfig, NegativeDataRejectionConfig
from schemathesis.engine import events, from_schema
from schemathesis.filters import FilterSet

from webapp.rest.schemas import METADATA

# What fits the document may still not fit how things stand: a segment that is not there, an upload
# that is not whole, a model nobody added, an address no administrator allowed.
FITS_BUT = [
    "2xx",
    "304",
    "400",
    "401",
    "403",
    "404",
    "409",
    "410",
    "412",
    "413",
    "415",
    "422",
    "423",
    "429",
    "460",
]
UNFIT = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429"]


@schemathesis.serializer("application/offset+octet-stream")
def part(_context, value):
    """A part of an upload is its bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """A key of its own for each request: Schemathesis takes few, and one that was used answers as it did,
    also when what it made is deleted by then, which is not a resource gone missing.

    A request without its token is left as it is: one that is changed here would be given the token again.
    """
    if case.meta is not None and getattr(case.meta.phase.data, "parameter", None) == "Authorization":
        return
    if re.fullmatch("[!-~]{1,128}", str((case.headers or {}).get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = uuid4().hex


_of_each: Counter[str] | None = None
"""How many cases of the coverage phase each operation had so far, where some are to be left out."""


@schemathesis.hook
def filter_case(_context, case):
    """Of the cases that cover an operation's description, the first eight, and every eighth of the others."""
    if _of_each is None or case.meta is None or case.meta.phase.name.value != "coverage":
        return True
    _of_each[case.operation.label] += 1
    number = _of_each[case.operation.label]
    return number <= 8 or number % 8 == 0


def with_short_metadata(document: dict[str, Any]) -> dict[str, Any]:
    """``document`` with shorter ``Upload-Metadata``: to draw 8,000 characters takes half of all the time."""
    for path in document["paths"].values():
        for operation in path.values():
            for given in operation.get("parameters", ()):
                if given["name"] == "Upload-Metadata":
                    assert given["schema"]["pattern"].count("{0,4000}") == 2
                    given["schema"] = {"type": "string", "pattern": METADATA.replace("{0,4000}", "{0,8}")}
    return document


def _of_second_reviews() -> OperationConfig:
    """An analysis just made has no second review: that there is none (404) is no resource gone missing."""
    those = FilterSet()
    those.include(path_regex="/analyses/{analysis_id}/review(/|$)")
    return OperationConfig(
        filter_set=those,
        checks=ChecksConfig(ensure_resource_availability=SimpleCheckConfig(enabled=False)),
    )


def attack(app: Flask, *, examples: int, token: str | None = None, brief: bool = False) -> Counter[str]:
    """Run all phases with all checks; how many requests each phase sent. Fails with what was found.

    It ends by counts, not by the clock: what is sent is the same on a busy machine. ``brief`` leaves out
    two thirds of what covers the document, which the attacks at length send.
    """
    global _of_each
    _of_each = Counter() if brief else None
    finished(app, segments=2)
    hand_in(app, b"waiting")
    project = ProjectConfig(
        # Compressed answers, which the WSGI client does not undo, are tried in test_static_files.py.
        headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {}),
        continue_on_failure=True,
        checks=ChecksConfig(
            positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=FITS_BUT),
            # It passes the WSGI client an argument that is for another one. Who may use what without a
            # token is what test_permission_matrix.py tries for each operation.
            ignored_auth=SimpleCheckConfig(enabled=False),
            missing_required_header=MissingRequiredHeaderConfig(expected_statuses=UNFIT),
            negative_data_rejection=NegativeDataRejectionConfig(expected_statuses=UNFIT),
        ),
        generation=GenerationConfig(max_examples=examples, deterministic=True, database="none"),
        operations=OperationsConfig(operations=[_of_second_reviews()]),
    )
    config = SchemathesisConfig(
        seed=1,
        projects=ProjectsConfig(default=project),
        cache=CacheConfig(enabled=False),
    )
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)
    if brief:
        with_short_metadata(schema.raw_schema)
    sent: Counter[str] = Counter()
    problems: dict[str, str] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            sent[str(event.phase.value)] += len(event.recorder.interactions)
            for case_id, checks in event.recorder.checks.items():
                for check in checks:
                    if check.failure_info is not None:
                        failure = check.failure_info.failure
                        case = event.recorder.cases[case_id].value
                        key = f"{case.method} {case.path} {failure.title}"
                        problems.setdefault(key, f"{failure.message}\n{check.failure_info.code_sample}")
        elif isinstance(event, events.NonFatalError):
            problems[f"{event.label} {event.value}"] = str(event.info.message)
        elif isinstance(event, events.FatalError):
            raise event.exception
    assert not problems, "\n\n".join(f"{key}\n{text}" for key, text in problems.items())
    return sent
