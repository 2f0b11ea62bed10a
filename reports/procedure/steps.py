"""Steps of the analysis in words, in the order of the work."""

from __future__ import annotations

from detector.schema.analysis import Analysis
from detector.schema.codec_names import codec_name
from detector.verdict.finding import finding_of
from language.formatting import number, plural, shown
from language.translation import gettext
from reports.sound.words import window_words
from reports.wording.heatmaps import SEQUENCES, WINDOW_READERS, maps_of
from reports.wording.photographs import COVERED_SINCE, excluded_kinds, made_since


def procedure(analysis: Analysis) -> tuple[str, ...]:
    """Describe how the finding came about, in paragraphs."""
    paragraphs: tuple[str, ...] = ()
    if not analysis.media.sound_only:
        paragraphs = _of_photograph(analysis) if analysis.media.still else _of_video(analysis)
    paragraphs = (*paragraphs, _of_voice(analysis))
    return tuple(paragraph.strip() for paragraph in paragraphs if paragraph)


def _of_voice(analysis: Analysis) -> str:
    """Describe how the finding about the voices came about; "" if sound was not examined."""
    voice = analysis.voice
    if voice is None or voice.stream is None:
        return ""
    if voice.channels:
        decoded = gettext(
            "The sound was decoded at 16,000 samples a second. Channels that carry the same speech "
            "were judged together, as their mean; others separately."
        )
    else:
        decoded = gettext("The sound was decoded and reduced to one channel at 16,000 samples a second.")
    marked = gettext("A small network marked where someone speaks; silence, music and noise were not judged.")
    if not any(finding.scores.time for finding in voice.findings):
        return f"{decoded} {marked}"
    scored = gettext(
        "Each window of %(window)s s of speech, one every %(step)s s, was scored by the network for voices. "
        "The scores were smoothed by a median. A segment starts where the smoothed score reaches "
        "%(enter)s and ends where it falls below %(leave)s. For the peaks of each segment a heatmap "
        "shows which times and frequencies raised the score; it was tested by replacing the "
        "highlighted area by the recording's own noise and scoring the window again.",
        window=window_words(voice),
        step=shown(voice.scores.step, "g"),
        enter=shown(voice.scores.enter, "g"),
        leave=shown(voice.scores.leave, "g"),
    )
    return f"{decoded} {marked} {scored}"


def _of_photograph(analysis: Analysis) -> tuple[str, ...]:
    parameters = analysis.parameters
    declared = ""
    if analysis.declarations is not None:
        declared = gettext(
            "First, what the file declares about its origin was read; this did not affect any score. "
        )
    flaws = [gettext("too small"), gettext("unclear"), *(face for _, face in excluded_kinds(parameters))]
    covered = ""
    if made_since(analysis, COVERED_SINCE):
        covered = gettext(
            "If a small network is certain that the mouth or eyes of a face are covered, that face is "
            "not flagged, rules nothing out and is not weighed against others. "
        )
    return (
        gettext(
            "%(declared)sFaces were found with CenterFace. %(left_out)s",
            declared=declared,
            left_out=gettext(
                "Faces that are %(all_but_last)s or %(last)s were not judged.",
                all_but_last=", ".join(flaws[:-1]),
                last=flaws[-1],
            ),
        ),
        _scoring_of_photograph(analysis),
        gettext(
            "A face whose score reaches %(enter_threshold)s is flagged. If no face reaches it, a score of "
            "%(doubt_threshold)s or more makes the verdict inconclusive. %(averaged)s",
            enter_threshold=shown(parameters.enter_threshold, "g"),
            doubt_threshold=shown(parameters.doubt_threshold, "g"),
            averaged=f"{_averaging(analysis)}{covered}",
        ),
        gettext(
            "For each flagged face, %(maps)s shows which areas raised the score. Each map was then tested "
            "by hiding the highlighted area and scoring the face again.",
            maps=maps_of(analysis.model, hides_parts=made_since(analysis, "1.26")),
        ),
    )


def _scoring_of_photograph(analysis: Analysis) -> str:
    second = analysis.model.second_look
    if analysis.model.architecture in SEQUENCES:
        return gettext(
            "Each face that could be judged was cropped, rotated upright and scored by the network named "
            "in this report. "
        )
    if second is None:
        return gettext(
            "Each face that could be judged was cropped, rotated upright and scored, together with its "
            "mirror image, by the network named in this report. "
        )
    transformer = apart = ""
    if second.transformer is not None:
        transformer = gettext(
            " and a transformer, %(architecture)s,", architecture=second.transformer.architecture
        )
    if made_since(analysis, "1.9"):
        apart = gettext(
            "; the same applies to a face on which the two networks disagreed more than on any face they "
            "were measured on"
        )
    return gettext(
        "Each face that could be judged was cropped, rotated upright and scored, together with its mirror "
        "image, by the network named in this report. A second network, %(name)s,%(transformer)s examined "
        "the inner face and the whole head and scored two kinds of manipulation: face swaps or edits, and "
        "generated faces. Both answers were fused with that of the scan and calibrated. If the result was "
        "close to the threshold, all networks also scored the face mirrored, shifted, scaled and "
        "re-encoded. The stability is the share of these views on the same side of the threshold; a face "
        "of low stability is not flagged but makes the verdict inconclusive%(apart)s. ",
        name=second.name,
        transformer=transformer,
        apart=apart,
    )


def _averaging(analysis: Analysis) -> str:
    """Describe how several faces are weighed together, in a sentence that another may follow."""
    faces = len(finding_of(analysis).averaged)
    if not faces:
        return ""
    judged = sum(face.probability is not None for face in analysis.persons)
    over = gettext("its %(faces)s judged faces", faces=faces)
    if faces < judged:
        over = gettext(
            "those %(faces)s of its %(judged)s judged faces on which the views agree",
            faces=faces,
            judged=judged,
        )
    return gettext(
        "The score of the whole photograph is computed from the odds averaged over %(over)s, "
        "because among many unmanipulated faces one is more likely to score high by chance. If that "
        "score is below the threshold, no face is flagged; a single face that reaches the threshold "
        "then makes the verdict inconclusive. ",
        over=over,
    )


def _of_video(analysis: Analysis) -> tuple[str, ...]:
    parameters = analysis.parameters
    together = whole = refined = covered = narrowed = ""
    if made_since(analysis, "1.7"):
        together = gettext(
            "Tracks of a person that are too short for a segment are joined end to end and judged together. "
        )
    if made_since(analysis, "1.26"):
        whole = gettext(
            "If no stretch of a track forms a segment, but the mean logit of the track reaches the first "
            "of these scores, the whole track is a segment. "
        )
    if parameters.edge_level:
        narrowed = gettext(
            "Its ends lie where the logit of the smoothed score is %(share)s of the way from there to the "
            "segment's median. ",
            share=shown(parameters.edge_level, "g"),
        )
    if analysis.coverage.frames_between:
        refined = gettext(
            "To find the start and end of each segment, every frame within %(edge_window)s s and one "
            "sampling interval of them was then judged by the same rules. Whether a segment exists depends "
            "on the sampled frames only. In medians and means, each sampling interval counts once. ",
            edge_window=shown(parameters.edge_window, "g"),
        )
    if made_since(analysis, COVERED_SINCE):
        covered = gettext(
            "A segment is not flagged if a small network is certain that mouth or eyes are covered in most "
            "of its faces, and such faces rule nothing out. "
        )
    return (
        gettext(
            "Frames were sampled at %(sample_rate)s a second; faces were found with "
            "CenterFace and followed between scene cuts. %(search_words)s",
            sample_rate=shown(parameters.sample_rate, "g"),
            search_words=_search(analysis),
        ),
        gettext(
            "%(scored)s Its output%(fused_words)s.",
            scored=_scoring_of_video(analysis),
            fused_words=_fusion(analysis),
        ),
        _views(analysis),
        gettext(
            "Along each track, the scores were smoothed by a median over %(median_window)s s. A segment "
            "starts where the smoothed score reaches %(enter_threshold)s and ends where it falls below "
            "%(exit_threshold)s; segments less than %(merge_gap)s s apart are merged, and segments shorter "
            "than %(minimum_duration)s s are dropped. %(together)s%(refined)s",
            median_window=shown(parameters.median_window, "g"),
            enter_threshold=shown(parameters.enter_threshold, "g"),
            exit_threshold=shown(parameters.exit_threshold, "g"),
            merge_gap=shown(parameters.merge_gap, "g"),
            minimum_duration=shown(parameters.minimum_duration, "g"),
            together=narrowed + together + whole,
            refined=refined,
        ),
        gettext(
            "The score of the remaining segments is computed from the mean logit of their frames, not from "
            "the smoothed score. If no segment remains, a person whose mean logit over all "
            "frames corresponds to %(doubt_threshold)s or more makes the verdict inconclusive. %(few)s",
            doubt_threshold=shown(parameters.doubt_threshold, "g"),
            few=f"{_few_frames(analysis)}{covered}{_kind(analysis)}",
        ),
        gettext(
            "At the peak frames, %(maps)s shows which areas of the face raised the score. Each map was then "
            "tested by hiding the highlighted area and scoring the face again.",
            maps=maps_of(analysis.model, hides_parts=made_since(analysis, "1.26")),
        ),
    )


def _search(analysis: Analysis) -> str:
    interval = analysis.parameters.search_interval
    if not interval:
        return gettext("Every sampled frame was searched completely.")
    if made_since(analysis, "1.12"):  # earlier versions searched frames at half the size instead
        return gettext(
            "Whole frames were searched at the start, after cuts, every %(interval)s s and whenever a "
            "known face was no longer where it had been. Once a second, the positions of known faces were "
            "searched, and the places where a smaller network proposed others. In between, faces were "
            "tracked by their appearance.",
            interval=shown(interval, "g"),
        )
    return gettext(
        "Whole frames were searched at the start, around cuts, every %(interval)s s and whenever a known "
        "face was no longer where it had been; the positions of known faces were searched every half "
        "second. In between, the box of a face that hardly moved was interpolated between two such "
        "positions.",
        interval=shown(interval, "g"),
    )


def _scoring_of_video(analysis: Analysis) -> str:
    if analysis.model.architecture in SEQUENCES:
        return gettext(
            "Each usable face was cropped, rotated upright and scored by the network named in this "
            "report, which judges it together with the faces before and after it in its track. A frame "
            "score therefore does not depend on that frame alone."
        )
    if not analysis.coverage.faces_interpolated:
        return gettext(
            "Each usable face was cropped, rotated upright and scored by the network named in this report."
        )
    return gettext(
        "Usable faces were cropped, rotated upright and scored by the network named in this report, "
        "except faces between two with low scores: their scores were interpolated."
    )


def _fusion(analysis: Analysis) -> str:
    second = analysis.model.second_look
    if second is None:
        return gettext(", divided by the calibration temperature, became a score")
    most = analysis.parameters.second_look
    framings = gettext("the inner face and the whole head")
    if second.architecture in WINDOW_READERS:
        return gettext(
            " was fused with that of a second network, %(name)s, and became a score. The second "
            "network scored the inner face in %(moments)s, for a face that was replaced or altered. For one "
            "that was synthesised it scored, in every fourth of these, windows around the mouth and below "
            "the head at the resolution of the video, and the whole head",
            name=second.name,
            moments=gettext("up to %(moments)s of each person", moments=plural(most, "moment", "moments")),
        )
    if analysis.parameters.alternate_heads:
        framings = gettext("the inner face, and the whole head in every other one")
    transformer = ""
    if second.transformer is not None:
        transformer = gettext(
            "; a transformer, %(architecture)s, scored the whole head as well",
            architecture=second.transformer.architecture,
        )
    return gettext(
        " was fused with that of a second network, %(name)s, and became a score. "
        "The second network scored %(moments)s: %(framings)s, "
        "each for a face that was replaced or altered and for one that was "
        "synthesised%(transformer)s",
        name=second.name,
        moments=gettext("up to %(moments)s of each person", moments=plural(most, "moment", "moments")),
        framings=framings,
        transformer=transformer,
    )


def _views(analysis: Analysis) -> str:
    """Describe how the answer of the second network is tested on altered views of the same moments."""
    second, codec = analysis.model.second_look, analysis.media.codec
    if second is None:
        return ""
    unsure = gettext("Where the fused score was close to the threshold")
    if made_since(analysis, "1.15"):
        unsure = gettext("Where the fused score was close to the threshold, or at a few moments above it")
    apart = more = raised = ""
    if made_since(analysis, "1.9"):
        apart = gettext(
            ". The same applies to a person on whom the two networks disagreed more than on anyone they "
            "were measured on"
        )
    if made_since(analysis, "1.7"):  # for every codec, even where no part is raised
        more = gettext(
            ". Where part of a track scored higher than the rest of it by a fixed amount, up to "
            "%(moments)s more were scored in and around that part",
            moments=plural(analysis.parameters.second_look, "moment", "moments"),
        )
    if added := (second.codecs or {}).get(codec):
        raised = gettext(
            ". Encoding in %(codec)s raises the logit for replaced or altered faces by "
            "%(added)s on average; this amount was subtracted",
            codec=codec_name(codec),
            added=number(added),
        )
    elif made_since(analysis, "1.7"):
        raised = gettext(
            ". A part that scored higher by the amount stated on the model's card was raised further"
        )
    return gettext(
        "%(unsure)s, all networks also scored the same moments mirrored, shifted, scaled and re-encoded. "
        "The stability is the share of these views on the same side of the threshold; a person of low "
        "stability is not flagged but makes the verdict inconclusive%(apart)s%(more)s%(raised)s.",
        unsure=unsure,
        apart=apart,
        more=more,
        raised=raised,
    )


def _few_frames(analysis: Analysis) -> str:
    if made_since(analysis, "1.19"):
        return gettext(
            "The same applies to a person who reaches the starting threshold for the duration of a "
            "segment, but in too few sampled frames to form one. "
        )
    return gettext(
        "The version that made this analysis did not check whether a person reaches the starting "
        "threshold for the duration of a segment, but in too few sampled frames to form one. "
    )


def _kind(analysis: Analysis) -> str:
    if analysis.kind is None:
        return ""
    if made_since(analysis, "1.23"):
        return gettext("The kind of manipulation was determined from the flagged frames of the person only. ")
    return gettext(
        "The version that made this analysis determined the kind of manipulation from all of a "
        "person's frames, most of which may be unmanipulated if only a short segment is flagged. "
    )
