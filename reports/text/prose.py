"""The standing text of a report: what a verdict means, what it does not, and the terms."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import (
    Analysis,
    ManipulationKind,
    MediaKind,
    Person,
    SecondLook,
    Segment,
    Verdict,
)
from detector.schema.formatting import probability
from reports.text import photographs
from reports.text.numbers import CLEAR_MARGIN, CLEAR_RATIO, number, plural, timecode
from reports.text.uncertainty import LEAST_FRAMES, LEVEL, calibration_error

MOST_NAMED = 6  # more persons than this are counted in the finding, not listed

GLOSSARY = (
    ("exhibit", "The file handed in, unchanged, known by its SHA-256."),
    ("analysis", "One run of one model over one exhibit. It is never altered afterwards."),
    ("track", "One face followed through time between two cuts."),
    ("person", "One or more tracks judged to be the same face. Letters say nothing about who it is."),
    (
        "calibrated probability",
        "The model's output, rescaled so that on the validation data, half of it manipulated, about 70 of "
        "100 faces that got 0.70 were manipulated. Elsewhere, or where manipulation is rarer, the share "
        "differs.",
    ),
    ("frame score", "The calibrated probability that one face in one frame was manipulated."),
    ("smoothed score", "Frame scores after a sliding median along the track; segments are cut from it."),
    ("segment", "An interval of one person's time flagged as manipulated."),
    (
        "confidence",
        "Calibrated probability of a segment: that of the mean raw score of its own frames, not the smoothed "
        "one.",
    ),
    (
        "interval",
        "How far a segment's probability could be off, as section 5 explains. A wider one means a less "
        "certain figure.",
    ),
    ("peak frame", "A frame of a segment where the smoothed score is a local maximum; at most three."),
    ("heatmap", "Grad-CAM: the areas of the face that raised the score most, as colour over the frame."),
    (
        "hide and re-score",
        "A test of a heatmap: its hottest area is blurred and the face scored again, beside random areas of "
        f"the same size. The map counts as confirmed when the logit falls by at least {CLEAR_MARGIN:g} more, "
        f"and at least {CLEAR_RATIO:g} times as far, as for random areas.",
    ),
    ("logit", "The model's raw output before it becomes a probability; equal steps are equal evidence."),
    ("PTS", "Presentation time stamp: the exact time of a frame as the file itself stores it."),
    ("frame number", "How many decoded frames come before it; the first frame of the file has the number 0."),
    ("UTC", "Coordinated universal time, the same everywhere; local time is given beside it."),
    (
        "custody log",
        "Who did what to the exhibit, and when. Each entry holds the fingerprint of the one before it, so "
        "that a change anywhere shows.",
    ),
    ("SHA-256", "A fingerprint of a file. Two files with the same one are the same, bit for bit."),
)


SCALE = (
    "Figures are also given in words, so that nobody reads more into them than they hold. The scale follows "
    "the idea of the verbal equivalents in the ENFSI Guideline for Evaluative Reporting in Forensic Science "
    "(2015), but it is another scale: ENFSI's words stand for likelihood ratios, which say how much the "
    "evidence alone should move an opinion. The words here stand for calibrated probabilities, which are "
    "right for material like the validation data, half of which was manipulated. No likelihood ratio is "
    "stated, because the scores measured for this model are too few to support one."
)


_KINDS = {
    ManipulationKind.EDITED: "a face swap or edit",
    ManipulationKind.GENERATED: "a generated face",
}


def finding(analysis: Analysis) -> str:
    """The verdict as a sentence."""
    noun = "video" if analysis.media.kind is MediaKind.VIDEO else "photograph"
    if analysis.verdict is Verdict.NOT_FOUND:
        return f"No manipulation was found in the faces that were examined in this {noun}."
    if analysis.verdict is Verdict.INCONCLUSIVE:
        return f"It cannot be said from this {noun} whether faces in it were manipulated."
    persons = sorted({segment.person for segment in analysis.segments}, key=lambda name: (len(name), name))
    if not persons:
        return f"Faces in this {noun} were judged to be manipulated."
    if len(persons) > MOST_NAMED:
        who = f"The faces of {len(persons)} persons were"
    else:
        who = (
            f"The faces of {person_list(persons)} were"
            if persons[1:]
            else f"The face of {person_list(persons)} was"
        )
    if noun == "photograph":
        what = f": {_KINDS[analysis.kind]}" if analysis.kind else ""
        return f"{who} judged to be manipulated in this photograph{what}."
    flagged, whole = timecode(_covered(analysis.segments)), timecode(analysis.media.duration)
    return (
        f"{who} judged to be manipulated in {plural(len(analysis.segments), 'segment')} of this video, "
        f"{flagged} of its {whole}."
    )


def _covered(segments: Sequence[Segment]) -> float:
    """Seconds during which at least one person is flagged; overlaps count once."""
    total, reached = 0.0, 0.0
    for segment in sorted(segments, key=lambda each: each.start):
        total += max(0.0, segment.end - max(segment.start, reached))
        reached = max(reached, segment.end)
    return total


def person_list(names: Sequence[str]) -> str:
    """Persons by their letters: ``person A``, ``persons A, B and C``."""
    if not names[1:]:
        return f"person {names[0]}"
    return f"persons {', '.join(names[:-1])} and {names[-1]}"


def verdict_meaning(analysis: Analysis) -> tuple[str, ...]:
    """What the finding says."""
    verdict = analysis.verdict
    if analysis.media.kind is MediaKind.IMAGE:
        return photographs.meaning(verdict)
    if verdict is Verdict.MANIPULATED:
        return (
            "The flagged faces look to the model like the manipulated faces it was trained on.",
            "Confidence was calibrated on single faces of the validation data, half of them manipulated: of "
            "those that got the same figure, about that share was. It is not the odds that this file is "
            "manipulated, which also depend on where it comes from.",
            "A person should look at every peak frame and weigh it with the origin of the file.",
        )
    if verdict is Verdict.NOT_FOUND:
        return (
            "No face that could be judged was flagged at the thresholds given in this report.",
            "It covers the frames and usable faces counted in this report, and nothing else.",
        )
    return (
        "Too little could be judged, or its quality was below what the model was validated on.",
        "A better copy of the same recording may allow a finding.",
    )


def figure_name(analysis: Analysis) -> str:
    """What the figure of the whole analysis is the probability of; empty when there is none."""
    if analysis.probability is None:
        return ""
    name = "Calibrated probability of manipulation"
    if analysis.media.kind is MediaKind.IMAGE:
        return f"{name}, highest-scoring face"
    if any(segment.confidence == analysis.probability for segment in analysis.segments):
        return f"{name}, strongest segment"
    return f"{name}, all usable frames of the highest-scoring person"


def interval_made(analysis: Analysis) -> str:
    """How intervals are made, with the figures of this analysis's model."""
    if analysis.media.kind is MediaKind.IMAGE:
        return photographs.interval_made(analysis)
    error = calibration_error(analysis.model.figures)
    by_frames = (
        "Beside each probability stands an interval. It allows for two sources of doubt. First, the frames: "
        "others of the same stretch would have given another mean. Frames that follow each other look "
        "alike, so their number is reduced to that of independent ones (by their correlation, as a "
        f"first-order autoregression), and Student's t gives the ends at {LEVEL:.0%}. With fewer than "
        f"{LEAST_FRAMES} frames this part is left out. "
    )
    if error is None:
        calibrated = (
            "Second, the calibration: how far off the probabilities themselves are was not measured for this "
            "model, so this part is missing and the intervals are too narrow. "
        )
    else:
        calibrated = (
            "Second, the calibration: both ends are moved outwards by the largest calibration error "
            f"measured for this model, {number(round(error, 3))}, an average over the measured data and not "
            "a bound. "
        )
    return (
        f"{by_frames}{calibrated}That a segment was picked out because its scores were high is not allowed "
        "for: both ends lie rather too high than too low."
    )


def verdict_limits(analysis: Analysis) -> tuple[str, ...]:
    """What the finding does not say, however it is quoted."""
    if analysis.media.kind is MediaKind.IMAGE:
        return photographs.limits(analysis)
    common = (
        "It says nothing about sound, scenery, bodies, text, or the order and completeness of the recording.",
        "It does not name the persons shown, the maker of the file, or anyone's intent.",
        "Measured figures do not carry over to material unlike the validation data; strong compression, "
        "filters, beauty effects and re-filmed screens can raise or lower scores.",
    )
    first = {
        Verdict.MANIPULATED: "It does not prove manipulation. A machine's finding alone must not "
        "decide about a person or a publication.",
        Verdict.NOT_FOUND: "It does not show that the file is unaltered. Methods unknown to the "
        "model can go unnoticed.",
        Verdict.INCONCLUSIVE: "It is neither a sign of manipulation nor a sign of its absence.",
    }[analysis.verdict]
    return (first, *common)


def not_examined(analysis: Analysis) -> tuple[str, ...]:
    """What was left out, apart from the stretches of time, in sentences."""
    media, coverage = analysis.media, analysis.coverage
    if media.kind is MediaKind.IMAGE:
        return photographs.not_examined(analysis)
    lines = [
        f"Frames between samples: {coverage.frames_sampled:,} of "
        f"{plural(media.frames_decoded, 'decoded frame')} were sampled, at most "
        f"{analysis.parameters.sample_rate:g} a second{_frames_between(coverage.frames_between)}.",
        "Sound: present, not examined."
        if media.has_sound
        else "Sound: the file has none; it would not have been examined.",
    ]
    if media.details and (others := media.details.other_pictures):
        listed = ", ".join(f"stream {stream.index} ({stream.codec})" for stream in others)
        lines.append(f"Other picture tracks: {listed}.")
    lines.append(
        f"Undecodable frames: {plural(media.frames_undecodable, 'packet or frame', 'packets or frames')} "
        "that the decoder refused or that the file promises and does not hold."
        if media.frames_undecodable
        else "Undecodable frames: none."
    )
    lines.append(
        f"Unusable faces: {coverage.faces_unusable:,} of {plural(coverage.faces_found, 'face')} found were "
        "too small, too unclear or too unsure to judge."
        if coverage.faces_unusable
        else f"Unusable faces: none of {plural(coverage.faces_found, 'face')} found."
    )
    if coverage.faces_discarded:
        lines.append(
            f"Taken for no faces: {plural(coverage.faces_discarded, 'detection')}, large enough to judge, in "
            "which the face detector was never sure."
        )
    lines.append("Everything in the picture that is not a face.")
    return tuple(lines)


def procedure(analysis: Analysis) -> str:
    """How the finding came about, in the order of the work."""
    if analysis.media.kind is MediaKind.IMAGE:
        return photographs.procedure(analysis)
    given = analysis.parameters
    flagged = (
        f"Along each track the scores were smoothed by a median over {given.median_window:g} s. "
        f"A segment opens where the smoothed score reaches {given.enter_threshold:g} and closes where it "
        f"falls below {given.exit_threshold:g}; segments nearer than {given.merge_gap:g} s become one, "
        f"those shorter than {given.minimum_duration:g} s are dropped. A person's tracks too short "
        f"for one are judged together, laid end to end. {_refined(analysis)}The "
        "confidence of those that remain is that of the mean raw score of their own frames, not the "
        "smoothed one. Where none "
        f"remains, a person whose mean raw score over all frames amounts to {given.doubt_threshold:g} or "
        "more leaves the verdict inconclusive. "
    )
    seen = (
        f"Frames were sampled at {given.sample_rate:g} a second; faces were found with CenterFace and "
        f"followed between scene cuts. {_search_words(given.search_interval)} Each usable face was "
    )
    return (
        f"{seen}cut out upright and scored by the network named in this report; its output"
        f"{_fused_words(analysis)}. {flagged}At the peak frames Grad-CAM shows which "
        "areas of the face raised the score; each map was then tested by hiding what it highlights and "
        "scoring the face again."
    )


def _fused_words(analysis: Analysis) -> str:
    second = analysis.model.second_look
    if second is None:
        return ", divided by the calibration temperature, became a probability"
    most = analysis.parameters.second_look
    moments = f"up to {plural(most, 'moment')} of each person"
    transformer = ""
    if second.transformer is not None:
        transformer = f"; a transformer, {second.transformer.architecture}, scored the whole head as well"
    return (
        f" was fused with that of a second network, {second.name}, and became a probability. The second "
        f"network scored {moments}: the inner face and the whole head, each for a face that was replaced or "
        f"altered and for one that was synthesised{transformer}. Where the fused score lay near the "
        "threshold, all networks scored the same moments mirrored, shifted, scaled and re-encoded as well; "
        "the share of these views on the same side of the threshold is the stability, and a person of low "
        "stability is not flagged but leaves the verdict inconclusive. So does one on whom the two networks "
        "lay further apart than on anyone they were measured on. Where a stretch of a track scored higher "
        "than the rest of it by a set amount, it was raised further, and it was scored in more moments"
    )


def glossary(analysis: Analysis) -> tuple[tuple[str, str], ...]:
    """The terms of the report."""
    return photographs.glossary(GLOSSARY) if analysis.media.kind is MediaKind.IMAGE else GLOSSARY


def second_look(person: Person) -> str:
    """What both networks said of a person, in one line; empty without a second look."""
    look = person.second_look
    if look is None:
        return ""
    stable = "" if look.stability is None else f"; stability {probability(look.stability)}"
    if look.contradiction:
        stable = "; the two networks contradict each other"
    return (
        f"scan alone {probability(look.scan)}; with the second look at "
        f"{plural(len(look.moments), 'moment')}: replaced or altered {probability(look.altered)}, "
        f"synthesised {probability(look.synthesised)}{stable}{_standing_out(look)}"
    )


def _standing_out(look: SecondLook) -> str:
    if not look.contrasts:
        return ""
    spans = ", ".join(f"{timecode(one.start)} to {timecode(one.end)}" for one in look.contrasts)
    return f"; stands out from the rest of its track, and was raised: {spans}"


def _frames_between(frames: int) -> str:
    return f", and {frames:,} of the others judged around the ends of segments" if frames else ""


def _refined(analysis: Analysis) -> str:
    if not analysis.coverage.frames_between:
        return ""
    return (
        f"From {analysis.parameters.edge_window:g} s and a sampling interval before each end of a segment to "
        "as long after it every frame was then judged by the same rules, which moves the ends to where they "
        "are; whether there is a segment was left to the sampled frames. In medians and means each sampling "
        "interval counts once. "
    )


def _search_words(interval: float) -> str:
    if not interval:
        return "Every sampled frame was searched whole."
    return (
        f"Whole frames were searched at the start, around cuts, every {interval:g} s and whenever a known "
        "face was not where it had been, the places of known faces every half second; in between, the box "
        "of a face that hardly moved was taken from the line between two such places."
    )
