"""How a finding about a photograph came about, in words, in the order of the work."""

from __future__ import annotations

from detector.schema.analysis import Analysis, Parameters
from detector.verdict.persons.whose_figure import persons_averaged
from reports.text import covered
from reports.text.heatmaps import SEQUENCES, maps_of
from reports.text.made_since import made_since
from reports.text.numbers import shown
from reports.text.photographs import told_apart
from reports.text.translation.language import gettext


def procedure(analysis: Analysis) -> tuple[str, ...]:
    """How the finding came about: paragraphs in the order of the work."""
    given = analysis.parameters
    found = gettext(
        "%(declared)sFaces were found with CenterFace. %(left_out)s",
        declared=gettext("What the file declares of its making was read first; it entered no score. ")
        if analysis.declarations is not None
        else "",
        left_out=_left_out(given),
    )
    decided = gettext(
        "A face whose score reaches %(enter_threshold)s is flagged; where none does, one of "
        "%(doubt_threshold)s or more leaves the verdict inconclusive. %(averaged)s",
        enter_threshold=shown(given.enter_threshold, "g"),
        doubt_threshold=shown(given.doubt_threshold, "g"),
        averaged=f"{_averaged(analysis)}{covered.procedure(analysis)}",
    )
    explained = gettext(
        "For each flagged face %(maps)s shows which areas raised the score; each map was then tested by "
        "hiding what it highlights and scoring the face again.",
        maps=maps_of(analysis.model),
    )
    return tuple(paragraph.strip() for paragraph in (found, _looked(analysis), decided, explained))


def _left_out(given: Parameters) -> str:
    """Which faces were not judged."""
    flaws = [gettext("too small"), gettext("unclear"), *(face for _, face in told_apart(given))]
    return gettext(
        "Faces that are %(all_but_last)s or %(last)s were not judged.",
        all_but_last=", ".join(flaws[:-1]),
        last=flaws[-1],
    )


def _looked(analysis: Analysis) -> str:
    """How faces were scored."""
    second = analysis.model.second_look
    if analysis.model.architecture in SEQUENCES:
        return gettext(
            "Each face that could be judged was cut out upright and scored by the network named in this "
            "report. "
        )
    if second is None:
        return gettext(
            "Each face that could be judged was cut out upright and scored, together with "
            "its mirror image, by the network named in this report. "
        )
    transformer = apart = ""
    if second.transformer is not None:
        transformer = gettext(
            " and a transformer, %(architecture)s,", architecture=second.transformer.architecture
        )
    if made_since(analysis, "1.9"):
        apart = gettext(
            ", as does one on which the two networks lay further apart than on any face they were measured on"
        )
    return gettext(
        "Each face that could be judged was cut out upright and scored, together with "
        "its mirror image, by the network named in this report; a second network, "
        "%(name)s,%(transformer)s looked at the inner face and the whole head, and "
        "answered two questions: was the face swapped or edited, was it generated. "
        "Both answers were fused with the scan's and calibrated. Where the "
        "result lay near the threshold, all networks scored the face mirrored, "
        "shifted, scaled and re-encoded as well; the share of these views on the same "
        "side is the stability, and a face of low stability is not flagged but leaves "
        "the verdict inconclusive%(apart)s. ",
        name=second.name,
        transformer=transformer,
        apart=apart,
    )


def _averaged(analysis: Analysis) -> str:
    """How several faces were weighed together, as a sentence that another one follows; empty for one."""
    faces = len(persons_averaged(analysis))
    if not faces:
        return ""
    judged = sum(face.probability is not None for face in analysis.persons)
    over = gettext("its %(faces)s judged faces", faces=faces)
    if faces < judged:
        over = gettext(
            "%(faces)s of its %(judged)s judged faces, those on whom views agree", faces=faces, judged=judged
        )
    return gettext(
        "The photograph's own probability is that of the odds averaged over %(over)s: of "
        "many unmanipulated faces one scores high more easily than one alone. Where that probability lies "
        "below the threshold, no face is flagged; one that reaches it alone then leaves the verdict "
        "inconclusive. ",
        over=over,
    )
