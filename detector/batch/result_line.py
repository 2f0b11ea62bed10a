"""A line of results: what is said of one file, by the names of its fields.

Lines of `score` and those that a validation counts from begin with the same fields. Those of crops
(:mod:`detector.batch.crops`) have them too, and those of `watch` some (:mod:`detector.batch.watch_folder`).
"""

from __future__ import annotations

from detector.schema.analysis import Analysis

ResultLine = dict[str, object]


def verdict_fields(analysis: Analysis) -> ResultLine:
    """What these lines of an analysis begin with: verdict and figures, and those of other models.

    The sentences of ``Analysis.reason`` are not among them, nor what
    :func:`~detector.schema.summary.summary_of` has beside.
    """
    line: ResultLine = {
        "verdict": str(analysis.verdict),
        "probability": analysis.probability,
        "stability": analysis.stability,
        "faces": len(analysis.persons),
        "duration": analysis.media.duration,
    }
    if analysis.joint:
        line["others"] = [
            {"model": one.model.name, "verdict": str(one.verdict), "probability": one.probability}
            for one in analysis.others
        ]
        line["joint"] = {"rule": str(analysis.joint.rule), "verdict": str(analysis.joint.verdict)}
    return line
