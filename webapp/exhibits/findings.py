"""Findings that are shown before their pictures are made: their files, and what is recorded of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from detector.files import hash_file, publish_folder
from detector.schema.analysis import Analysis
from detector.schema.causes.cause import Cause
from detector.schema.summary import summarise
from reports.file_names import ANALYSIS
from webapp.exhibits.results import refuse_damaged
from webapp.jobs import claims
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database


def recorded_result(analysis: Analysis, place: Path) -> claims.RecordedResult:
    """Return what row and custody log state of the analysis whose files are in ``place``."""
    sums = {f"{name} sha256": hash_file(place / f"{name}.json")[1] for name in ("manifest", "analysis")}
    voice = {"voice": analysis.voice.verdict.value} if analysis.voice else {}
    engine = {
        "model": analysis.model.name,
        "model sha256": analysis.model.sha256,
        "reelproof": analysis.software.reelproof,
    }
    return claims.RecordedResult(
        analysis.verdict,
        analysis.probability,
        analysis.media.duration,
        analysis.media.frame_rate,
        json.dumps(summarise(analysis)),
        {**voice, **engine, **sums},
    )


def publish_without_pictures(folders: Folders, analysis_id: str) -> Path:
    """Make a published finding the result of its analysis, unless it has one; return the result's folder."""
    place, finding = folders.result(analysis_id), folders.finding(analysis_id)
    if not folders.store.fetch_folder(place, refuse_damaged):
        folders.store.fetch_folder(finding, refuse_damaged)
        copy = folders.unfinished(analysis_id, "finding")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(finding, copy)
        publish_folder(copy, place)
        shutil.rmtree(copy, ignore_errors=True)
    return place


def keep_finding(database: Database, folders: Folders, analysis_id: str, unexplained: Cause) -> bool:
    """End the explanation of an analysis, which keeps its finding; False if it is not being explained.

    ``unexplained`` says why it has no pictures. If they were complete already, it has them.
    """
    place = publish_without_pictures(folders, analysis_id)
    folders.store.put_folder(place)
    analysis = Analysis.from_json((place / ANALYSIS).read_bytes())
    result = recorded_result(analysis, place)
    kept = claims.keep_finding(database, analysis_id, result, None if analysis.explained else unexplained)
    if kept:
        folders.store.remove(folders.finding(analysis_id))
        remove_finding(folders, analysis_id)
    return kept


def remove_finding(folders: Folders, analysis_id: str) -> None:
    """Remove the finding of an analysis whose result is there, from this machine."""
    shutil.rmtree(folders.finding(analysis_id), ignore_errors=True)
