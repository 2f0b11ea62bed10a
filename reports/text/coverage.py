"""What was not examined, in sentences."""

from __future__ import annotations

from detector.schema.analysis import Analysis, MediaKind
from reports.text import photographs
from reports.text.language import gettext
from reports.text.numbers import plural, shown


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
    if coverage.faces_interpolated:
        lines.append(
            gettext(
                "Faces without a score of their own: %(interpolated)s. Where the probabilities before "
                "and after them lay below %(below)s, the first network did not see them; their scores lie "
                "in between.",
                interpolated=plural(coverage.faces_interpolated, "face", "faces"),
                below=shown(analysis.parameters.interpolate_below, "g"),
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


def _frames_between(frames: int) -> str:
    return (
        gettext(
            ", and %(frames)s of the others judged around the ends of segments", frames=shown(frames, ",")
        )
        if frames
        else ""
    )
