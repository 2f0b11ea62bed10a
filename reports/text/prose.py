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
from reports.text import photographs
from reports.text.language import N_, gettext
from reports.text.numbers import CLEAR_MARGIN, CLEAR_RATIO, number, plural, probability, shown, timecode
from reports.text.uncertainty import LEAST_FRAMES, LEVEL, calibration_error

MOST_NAMED = 6  # more persons than this are counted in the finding, not listed

GLOSSARY = (
    (N_("exhibit"), N_("The file handed in, unchanged, known by its SHA-256.")),
    (N_("analysis"), N_("One run of one model over one exhibit. It is never altered afterwards.")),
    (N_("track"), N_("One face followed through time between two cuts.")),
    (N_("person"), N_("One or more tracks judged to be the same face. Letters say nothing about who it is.")),
    (
        N_("calibrated probability"),
        N_(
            "The model's output, rescaled so that on the validation data, half of it "
            "manipulated, about 70 of 100 faces that got 0.70 were manipulated. Elsewhere, "
            "or where manipulation is rarer, the share differs."
        ),
    ),
    (N_("frame score"), N_("The calibrated probability that one face in one frame was manipulated.")),
    (
        N_("smoothed score"),
        N_("Frame scores after a sliding median along the track; segments are cut from it."),
    ),
    (N_("segment"), N_("An interval of one person's time flagged as manipulated.")),
    (
        N_("confidence"),
        N_(
            "Calibrated probability of a segment: that of the mean raw score of its own "
            "frames, not the smoothed one."
        ),
    ),
    (
        N_("interval"),
        N_(
            "How far a segment's probability could be off, as section 5 explains. A wider "
            "one means a less certain figure."
        ),
    ),
    (
        N_("peak frame"),
        N_("A frame of a segment where the smoothed score is a local maximum; at most three."),
    ),
    (
        N_("heatmap"),
        N_("Grad-CAM: the areas of the face that raised the score most, as colour over the frame."),
    ),
    (
        N_("hide and re-score"),
        N_(
            "A test of a heatmap: its hottest area is blurred and the face scored again, "
            "beside random areas of the same size. The map counts as confirmed when the "
            "logit falls by at least %(margin)s more, and at least %(ratio)s times as far, "
            "as for random areas."
        )
        % {"margin": shown(CLEAR_MARGIN, "g"), "ratio": shown(CLEAR_RATIO, "g")},
    ),
    (
        N_("logit"),
        N_("The model's raw output before it becomes a probability; equal steps are equal evidence."),
    ),
    ("PTS", N_("Presentation time stamp: the exact time of a frame as the file itself stores it.")),
    (
        N_("frame number"),
        N_("How many decoded frames come before it; the first frame of the file has the number 0."),
    ),
    ("UTC", N_("Coordinated universal time, the same everywhere; local time is given beside it.")),
    (
        N_("custody log"),
        N_(
            "Who did what to the exhibit, and when. Each entry holds the fingerprint of "
            "the one before it, so that a change anywhere shows."
        ),
    ),
    ("SHA-256", N_("A fingerprint of a file. Two files with the same one are the same, bit for bit.")),
)


SCALE = N_(
    "Figures are also given in words, so that nobody reads more into them than "
    "they hold. The scale follows the idea of the verbal equivalents in the ENFSI "
    "Guideline for Evaluative Reporting in Forensic Science (2015), but it is "
    "another scale: ENFSI's words stand for likelihood ratios, which say how much "
    "the evidence alone should move an opinion. The words here stand for "
    "calibrated probabilities, which are right for material like the validation "
    "data, half of which was manipulated. No likelihood ratio is stated, because "
    "the scores measured for this model are too few to support one."
)


_KINDS = {
    ManipulationKind.EDITED: N_("a face swap or edit"),
    ManipulationKind.GENERATED: N_("a generated face"),
}


def finding(analysis: Analysis) -> str:
    """The verdict as a sentence."""
    still = analysis.media.kind is MediaKind.IMAGE
    if analysis.verdict is Verdict.NOT_FOUND:
        if still:
            return gettext("No manipulation was found in the faces that were examined in this photograph.")
        return gettext("No manipulation was found in the faces that were examined in this video.")
    if analysis.verdict is Verdict.INCONCLUSIVE:
        if still:
            return gettext("It cannot be said from this photograph whether faces in it were manipulated.")
        return gettext("It cannot be said from this video whether faces in it were manipulated.")
    persons = sorted({segment.person for segment in analysis.segments}, key=lambda name: (len(name), name))
    if not persons:
        if still:
            return gettext("Faces in this photograph were judged to be manipulated.")
        return gettext("Faces in this video were judged to be manipulated.")
    if len(persons) > MOST_NAMED:
        who = gettext("The faces of %(persons)s persons were", persons=len(persons))
    else:
        who = (
            gettext("The faces of %(person_list)s were", person_list=person_list(persons))
            if persons[1:]
            else gettext("The face of %(person_list)s was", person_list=person_list(persons))
        )
    if still:
        what = f": {gettext(_KINDS[analysis.kind])}" if analysis.kind else ""
        return gettext("%(who)s judged to be manipulated in this photograph%(what)s.", who=who, what=what)
    flagged, whole = timecode(_covered(analysis.segments)), timecode(analysis.media.duration)
    return gettext(
        "%(who)s judged to be manipulated in %(segments)s of this video, %(flagged)s of its %(whole)s.",
        who=who,
        segments=plural(len(analysis.segments), "segment", "segments"),
        flagged=flagged,
        whole=whole,
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
        return gettext("person %(names)s", names=names[0])
    return gettext(
        "persons %(all_but_last)s and %(last)s", all_but_last=", ".join(names[:-1]), last=names[-1]
    )


def verdict_meaning(analysis: Analysis) -> tuple[str, ...]:
    """What the finding says."""
    verdict = analysis.verdict
    if analysis.media.kind is MediaKind.IMAGE:
        return photographs.meaning(analysis)
    if verdict is Verdict.MANIPULATED:
        return (
            gettext("The flagged faces look to the model like the manipulated faces it was trained on."),
            gettext(
                "Confidence was calibrated on single faces of the validation data, half of "
                "them manipulated: of those that got the same figure, about that share was. It "
                "is not the odds that this file is manipulated, which also depend on where it "
                "comes from."
            ),
            gettext("A person should look at every peak frame and weigh it with the origin of the file."),
        )
    if verdict is Verdict.NOT_FOUND:
        return (
            gettext("No face that could be judged was flagged at the thresholds given in this report."),
            gettext("It covers the frames and usable faces counted in this report, and nothing else."),
        )
    return (
        gettext("Too little could be judged, or its quality was below what the model was validated on."),
        gettext("A better copy of the same recording may allow a finding."),
    )


def figure_name(analysis: Analysis) -> str:
    """What the figure of the whole analysis is the probability of; empty when there is none."""
    if analysis.probability is None:
        return ""
    name = gettext("Calibrated probability of manipulation")
    if analysis.media.kind is MediaKind.IMAGE:
        return gettext("%(name)s, highest-scoring face", name=name)
    if any(segment.confidence == analysis.probability for segment in analysis.segments):
        return gettext("%(name)s, strongest segment", name=name)
    return gettext("%(name)s, all usable frames of the highest-scoring person", name=name)


def interval_made(analysis: Analysis) -> str:
    """How intervals are made, with the figures of this analysis's model."""
    if analysis.media.kind is MediaKind.IMAGE:
        return photographs.interval_made(analysis)
    error = calibration_error(analysis.model.figures)
    by_frames = gettext(
        "Beside each probability stands an interval. It allows for two sources of "
        "doubt. First, the frames: others of the same stretch would have given another "
        "mean. Frames that follow each other look alike, so their number is reduced to "
        "that of independent ones (by their correlation, as a first-order "
        "autoregression), and Student's t gives the ends at %(level)s. With fewer than "
        "%(least_frames)s frames this part is left out. ",
        level=shown(LEVEL, ".0%"),
        least_frames=LEAST_FRAMES,
    )
    if error is None:
        calibrated = gettext(
            "Second, the calibration: how far off the probabilities themselves are was not "
            "measured for this model, so this part is missing and the intervals are too "
            "narrow. "
        )
    else:
        calibrated = gettext(
            "Second, the calibration: both ends are moved outwards by the largest "
            "calibration error measured for this model, %(error)s, an average over the "
            "measured data and not a bound. ",
            error=number(round(error, 3)),
        )
    return gettext(
        "%(by_frames)s%(calibrated)sThat a segment was picked out because its scores "
        "were high is not allowed for: both ends lie rather too high than too low.",
        by_frames=by_frames,
        calibrated=calibrated,
    )


def verdict_limits(analysis: Analysis) -> tuple[str, ...]:
    """What the finding does not say, however it is quoted."""
    if analysis.media.kind is MediaKind.IMAGE:
        return photographs.limits(analysis)
    common = (
        gettext(
            "It says nothing about sound, scenery, bodies, text, or the order and "
            "completeness of the recording."
        ),
        gettext("It does not name the persons shown, the maker of the file, or anyone's intent."),
        gettext(
            "Measured figures do not carry over to material unlike the validation data; "
            "strong compression, filters, beauty effects and re-filmed screens can raise "
            "or lower scores."
        ),
    )
    first = {
        Verdict.MANIPULATED: gettext(
            "It does not prove manipulation. A machine's finding alone must not decide "
            "about a person or a publication."
        ),
        Verdict.NOT_FOUND: gettext(
            "It does not show that the file is unaltered. Methods unknown to the model can go unnoticed."
        ),
        Verdict.INCONCLUSIVE: gettext("It is neither a sign of manipulation nor a sign of its absence."),
    }[analysis.verdict]
    return (first, *common)


def not_examined(analysis: Analysis) -> tuple[str, ...]:
    """What was left out, apart from the stretches of time, in sentences."""
    media, coverage = analysis.media, analysis.coverage
    if media.kind is MediaKind.IMAGE:
        return photographs.not_examined(analysis)
    lines = [
        gettext(
            "Frames between samples: %(frames_sampled)s of %(frames)s were sampled, at "
            "most %(sample_rate)s a second%(frames_between)s.",
            frames_sampled=shown(coverage.frames_sampled, ","),
            frames=plural(media.frames, "frame", "frames"),
            sample_rate=shown(analysis.parameters.sample_rate, "g"),
            frames_between=_frames_between(coverage.frames_between),
        ),
        gettext("Sound: present, not examined.")
        if media.has_sound
        else gettext("Sound: the file has none; it would not have been examined."),
    ]
    if media.details and (others := media.details.other_pictures):
        listed = ", ".join(
            gettext("stream %(index)s (%(codec)s)", index=stream.index, codec=stream.codec)
            for stream in others
        )
        lines.append(gettext("Other picture tracks: %(listed)s.", listed=listed))
    lines.append(
        gettext(
            "Undecodable frames: %(frames)s that the decoder refused or that the file "
            "promises and does not hold.",
            frames=plural(media.frames_undecodable, "packet or frame", "packets or frames"),
        )
        if media.frames_undecodable
        else gettext("Undecodable frames: none.")
    )
    lines.append(
        gettext(
            "Unusable faces: %(faces_unusable)s of %(faces)s found were too small, too "
            "unclear or too unsure to judge.",
            faces_unusable=shown(coverage.faces_unusable, ","),
            faces=plural(coverage.faces_found, "face", "faces"),
        )
        if coverage.faces_unusable
        else gettext(
            "Unusable faces: none of %(faces)s found.", faces=plural(coverage.faces_found, "face", "faces")
        )
    )
    if coverage.faces_discarded:
        lines.append(
            gettext(
                "Taken for no faces: %(detections)s, large enough to judge, in which the face "
                "detector was never sure.",
                detections=plural(coverage.faces_discarded, "detection", "detections"),
            )
        )
    lines.append(gettext("Everything in the picture that is not a face."))
    return tuple(lines)


def procedure(analysis: Analysis) -> str:
    """How the finding came about, in the order of the work."""
    if analysis.media.kind is MediaKind.IMAGE:
        return photographs.procedure(analysis)
    given = analysis.parameters
    flagged = gettext(
        "Along each track the scores were smoothed by a median over %(median_window)s "
        "s. A segment opens where the smoothed score reaches %(enter_threshold)s and "
        "closes where it falls below %(exit_threshold)s; segments nearer than "
        "%(merge_gap)s s become one, those shorter than %(minimum_duration)s s are "
        "dropped. A person's tracks too short for one are judged together, laid end to "
        "end. %(refined)sThe confidence of those that remain is that of the mean raw "
        "score of their own frames, not the smoothed one. Where none remains, a person "
        "whose mean raw score over all frames amounts to %(doubt_threshold)s or more "
        "leaves the verdict inconclusive. ",
        median_window=shown(given.median_window, "g"),
        enter_threshold=shown(given.enter_threshold, "g"),
        exit_threshold=shown(given.exit_threshold, "g"),
        merge_gap=shown(given.merge_gap, "g"),
        minimum_duration=shown(given.minimum_duration, "g"),
        refined=_refined(analysis),
        doubt_threshold=shown(given.doubt_threshold, "g"),
    )
    seen = gettext(
        "Frames were sampled at %(sample_rate)s a second; faces were found with "
        "CenterFace and followed between scene cuts. %(search_words)s Each usable face "
        "was ",
        sample_rate=shown(given.sample_rate, "g"),
        search_words=_search_words(given.search_interval),
    )
    return gettext(
        "%(seen)scut out upright and scored by the network named in this report; its "
        "output%(fused_words)s. %(flagged)sAt the peak frames %(maps)s shows which "
        "areas of the face raised the score; each map was then tested by hiding what "
        "it highlights and scoring the face again.",
        seen=seen,
        fused_words=_fused_words(analysis),
        flagged=flagged,
        maps=photographs.maps_of(analysis.model),
    )


def _fused_words(analysis: Analysis) -> str:
    second = analysis.model.second_look
    if second is None:
        return gettext(", divided by the calibration temperature, became a probability")
    most = analysis.parameters.second_look
    moments = gettext("up to %(moments)s of each person", moments=plural(most, "moment", "moments"))
    transformer = ""
    if second.transformer is not None:
        transformer = gettext(
            "; a transformer, %(architecture)s, scored the whole head as well",
            architecture=second.transformer.architecture,
        )
    return gettext(
        " was fused with that of a second network, %(name)s, and became a probability. "
        "The second network scored %(moments)s: the inner face and the whole head, "
        "each for a face that was replaced or altered and for one that was "
        "synthesised%(transformer)s. Where the fused score lay near the threshold, all "
        "networks scored the same moments mirrored, shifted, scaled and re-encoded as "
        "well; the share of these views on the same side of the threshold is the "
        "stability, and a person of low stability is not flagged but leaves the "
        "verdict inconclusive. So does one on whom the two networks lay further apart "
        "than on anyone they were measured on. Where a stretch of a track scored "
        "higher than the rest of it by a set amount, it was raised further, and it was "
        "scored in more moments",
        name=second.name,
        moments=moments,
        transformer=transformer,
    )


def glossary(analysis: Analysis) -> tuple[tuple[str, str], ...]:
    """The terms of the report."""
    terms = photographs.glossary(GLOSSARY) if analysis.media.kind is MediaKind.IMAGE else GLOSSARY
    if analysis.model.onnx is None:
        return terms
    return tuple((term, _OCCLUSION if words.startswith("Grad-CAM") else words) for term, words in terms)


_OCCLUSION = N_(
    "Occlusion map: the areas of the face without which the score falls most, as colour over the picture."
)


def second_look(person: Person) -> str:
    """What both networks said of a person, in one line; empty without a second look."""
    look = person.second_look
    if look is None:
        return ""
    stable = (
        ""
        if look.stability is None
        else gettext("; stability %(stability)s", stability=probability(look.stability))
    )
    if look.contradiction:
        stable = gettext("; the two networks contradict each other")
    return gettext(
        "scan alone %(scan)s; with the second look at %(moments)s: replaced or altered "
        "%(altered)s, synthesised %(synthesised)s%(stable)s%(standing_out)s",
        scan=probability(look.scan),
        moments=plural(len(look.moments), "moment", "moments"),
        altered=probability(look.altered),
        synthesised=probability(look.synthesised),
        stable=stable,
        standing_out=_standing_out(look),
    )


def _standing_out(look: SecondLook) -> str:
    if not look.contrasts:
        return ""
    spans = ", ".join(
        gettext("%(start)s to %(end)s", start=timecode(one.start), end=timecode(one.end))
        for one in look.contrasts
    )
    return gettext("; stands out from the rest of its track, and was raised: %(spans)s", spans=spans)


def _frames_between(frames: int) -> str:
    return (
        gettext(
            ", and %(frames)s of the others judged around the ends of segments", frames=shown(frames, ",")
        )
        if frames
        else ""
    )


def _refined(analysis: Analysis) -> str:
    if not analysis.coverage.frames_between:
        return ""
    return gettext(
        "From %(edge_window)s s and a sampling interval before each end of a segment "
        "to as long after it every frame was then judged by the same rules, which "
        "moves the ends to where they are; whether there is a segment was left to the "
        "sampled frames. In medians and means each sampling interval counts once. ",
        edge_window=shown(analysis.parameters.edge_window, "g"),
    )


def _search_words(interval: float) -> str:
    if not interval:
        return gettext("Every sampled frame was searched whole.")
    return gettext(
        "Whole frames were searched at the start, around cuts, every %(interval)s s "
        "and whenever a known face was not where it had been, the places of known "
        "faces every half second; in between, the box of a face that hardly moved was "
        "taken from the line between two such places.",
        interval=shown(interval, "g"),
    )
