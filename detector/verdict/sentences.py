"""The sentences of reasons: each as a code with parameters, and as English or translated text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from detector.schema.formatting import N_
from detector.schema.measurements import Cause, CauseParameter, ManipulationKind


class Words:
    """Renders the parts of sentences in English; subclasses translate."""

    def message(self, text: str) -> str:
        """Return a message, with its placeholders."""
        return text

    def count(self, number: int, noun: str) -> str:
        """Return a number with its noun, which takes a plural s; stored results have no separators."""
        return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

    def stored(self, text: str) -> str:
        """Return a message whose placeholders are filled, such as that of an error."""
        return text

    def number(self, text: str) -> str:
        """Return a formatted number."""
        return text

    def fill(self, text: str, **values: object) -> str:
        """Return a message with its placeholders filled."""
        return self.message(text) % values

    def persons(self, names: Sequence[str]) -> str:
        """Return persons by name."""
        text = N_("Person %(names)s") if len(names) == 1 else N_("Persons %(names)s")
        return self.fill(text, names=", ".join(names))

    def flaws(self, flaws: Iterable[str]) -> str:
        """Return flaws of faces, joined by "or"."""
        return self.message(N_(", or ")).join(map(self.message, flaws))


ENGLISH = Words()


class Statement(str):
    """An English sentence that knows its code and parameters."""

    cause: Cause

    def __new__(cls, code: str, **parameters: CauseParameter) -> Statement:
        cause = Cause(code=code, parameters=parameters)
        statement = super().__new__(cls, render(cause))
        statement.cause = cause
        return statement

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, CauseParameter]]:
        return (self.cause.code,), self.cause.parameters


class Reason(str):
    """The sentences of a reason as one English text."""

    causes: tuple[Cause, ...]

    def __new__(cls, *statements: Statement | Reason) -> Reason:
        reason = super().__new__(cls, " ".join(statements))
        reason.causes = tuple(
            cause
            for part in statements
            for cause in (part.causes if isinstance(part, Reason) else (part.cause,))
        )
        return reason


def render(cause: Cause, words: Words = ENGLISH) -> str:
    """Return the sentence of a cause; raises ``KeyError`` for an unknown code."""
    return _SENTENCES[cause.code](words, **cause.parameters)


_SENTENCES: dict[str, Callable[..., str]] = {}


def _sentence(function: Callable[..., str]) -> Callable[..., str]:
    """Register the function that renders the code of its name."""
    _SENTENCES[function.__name__.removeprefix("_")] = function
    return function


def _template(text: str) -> Callable[..., str]:
    """Return a function that fills ``text`` with parameters, formatted by their names."""

    def rendered(words: Words, **parameters: CauseParameter) -> str:
        values: dict[str, object] = {}
        for name, value in parameters.items():
            placeholder, form = _FORMATS.get(name, (name, lambda _words, number: str(number)))
            values[placeholder] = form(words, value)
        return words.fill(text, **values)

    return rendered


_FORMATS: dict[str, tuple[str, Callable[..., str]]] = {
    "persons": ("who", Words.persons),
    "frames": ("frames", lambda words, number: words.count(number, "sampled frame")),
    "minimum_duration": ("minimum_duration", lambda words, seconds: words.number(f"{seconds:g}")),
    "minimum_face": ("minimum_face", lambda words, width: words.number(f"{width:.0f}")),
    "minimum_usable_frames": ("needed", lambda words, number: _needed(words, number)),
    "flaws": ("flaws", Words.flaws),
    "seconds": ("seconds", lambda words, seconds: words.number(f"{seconds:.1f}")),
    "problem": ("problem", lambda words, text: words.stored(text)),
    "segments": ("segments", lambda words, number: words.count(number, "segment")),
}


def _needed(words: Words, frames: int) -> str:
    return words.fill(N_("at least %(minimum_usable_frames)s are needed"), minimum_usable_frames=frames)


_TEMPLATES = {
    "photo_below_threshold": N_("1 usable face was judged; it did not reach the threshold for a finding."),
    "photo_faces_below_threshold": N_(
        "%(usable)s usable faces were judged; none reached the threshold for a finding."
    ),
    "person_below_threshold": N_("1 person judged in %(frames)s; none reached the threshold for a finding."),
    "persons_below_threshold": N_(
        "%(judged)s persons judged in %(frames)s; none reached the threshold for a finding."
    ),
    "unjudged_persons": N_("Nothing is said of %(who)s, who could be judged in fewer than %(frames)s."),
    "unjudged_others": N_(
        "Nothing is said of %(count)s others, who could be judged in fewer than %(frames)s."
    ),
    "contradiction": N_(
        "%(who)s: the two networks contradict each other more than on anyone they were "
        "measured on, which happens with pictures made to mislead one of them."
    ),
    "unstable_contrast": N_(
        "%(who)s: a stretch stands out from the rest, but not in all of several views of the same "
        "pictures (mirrored, shifted, scaled, re-encoded)."
    ),
    "unstable_stretch": N_(
        "%(who)s: small changes of the same pictures (mirrored, shifted, scaled, re-encoded) decide "
        "whether a stretch stands out from the rest or reaches the threshold."
    ),
    "unstable_score": N_(
        "%(who)s: small changes of the same pictures (mirrored, shifted, scaled, re-encoded) "
        "move the score across the threshold."
    ),
    "doubtful_photo": N_(
        "%(who)s: the score is below the threshold for a finding, yet is too high to rule one out."
    ),
    "reached_in_few_frames": N_(
        "%(who)s reached the threshold for a finding for at least %(minimum_duration)s s, but in no more "
        "than %(frames)s at a time, too few for one and too long to rule one out."
    ),
    "reached_briefly": N_(
        "%(who)s reached the threshold for a finding, but for less than %(minimum_duration)s s at a "
        "time, too short for one."
    ),
    "outweighed": N_(
        "%(who)s: above the threshold for a finding when taken alone; but of %(faces)s judged faces one is "
        "so by chance more easily than of one, and together they do not reach it."
    ),
    "outweighed_among_stable": N_(
        "%(who)s: above the threshold for a finding when taken alone; but of %(faces)s faces on which "
        "views agree one is so by chance more easily than of one, and together they do not reach it."
    ),
    "outweighed_among_uncovered": N_(
        "%(who)s: above the threshold for a finding when taken alone; but of %(faces)s faces on which "
        "views agree and that are not covered one is so by chance more easily than of one, and together "
        "they do not reach it."
    ),
    "reached_without_colour": N_(
        "%(who)s: the threshold for a finding is reached, but by faces without colour, or toned in one, "
        "which score higher, manipulated or not."
    ),
    "reached_while_covered": N_(
        "%(who)s: the threshold for a finding is reached, but mouth or eyes seem covered, as by a mask, a "
        "hand or a caption, which can raise a score by itself."
    ),
    "none_usable": N_(
        "Faces were found, but none is large (at least %(minimum_face)s pixels wide), "
        "clear and certain enough to judge."
    ),
    "high_in_few_frames": N_(
        "%(who)s scored high, but could be judged in no more than %(frames)s, too few to judge: a finding "
        "takes several in a row over at least %(minimum_duration)s s, and %(needed)s to find none."
    ),
    "mostly_other_pictures": N_(
        "Nothing was flagged, but most faces seen (%(not_judged)s of %(faces)s) are outside what can be "
        "judged: %(flaws)s."
    ),
    "mostly_unusable": N_(
        "Nothing was flagged, but most faces seen (%(not_judged)s of %(faces)s) are too small, too "
        "unclear or too unsure to judge."
    ),
    "mostly_grey": N_(
        "Most faces judged are without colour, or toned in one; on such footage the networks were not "
        "measured."
    ),
    "motionless": N_(
        "%(who)s: the picture does not move, as where a photograph is shown in a video; hand a frame of it "
        "in as a photograph, which is judged by other rules."
    ),
    "covered": N_(
        "%(who)s: mouth or eyes seem covered, as by a mask, a hand or a caption; what was altered beneath "
        "cannot be seen, and scores of the rest say little."
    ),
    "other_codec": N_(
        "The video is encoded in %(codec)s; scores depend on the codec, and thresholds and error rates rest "
        "on footage in H.264 and MPEG-4."
    ),
    "rotated": N_(
        "Its faces do not stand upright as the file is stored; it was examined turned by %(turned)s° "
        "clockwise."
    ),
    "trailing_data": N_("Its pictures end at %(share)s %% of the file; what follows was not looked at."),
    "transparent": N_(
        "Parts of the picture are transparent; what the file holds under them was not looked at."
    ),
    "appended_video": N_(
        "Behind the picture the file holds a video, as motion photos do; it was not looked at."
    ),
    "photo_damaged": N_("The file is damaged: a part of the picture is missing and was not looked at."),
    "no_picture": N_("The exhibit is a recording of sound without picture, so no face was examined."),
    "pictures_not_read": N_("No picture of the file can be read, and no face was examined. %(problem)s"),
    "faces_error": N_("No face was examined, because of an error that was not expected (%(error)s)."),
    "faces_out_of_memory": N_(
        "No face was examined: reading the pictures needs more memory than is allowed."
    ),
    "voice_no_sound": N_("The file has no sound."),
    "voice_not_decoded": N_("The sound cannot be decoded: it is damaged or in an unknown codec."),
    "voice_refused": N_("The sound was not examined. %(problem)s"),
    "voice_error": N_(
        "The sound could not be examined, because of an error that was not expected (%(error)s)."
    ),
    "voice_out_of_memory": N_("The sound could not be examined: it needs more memory than is allowed."),
    "voice_no_speech": N_("There is no speech in the sound."),
    "voice_too_little": N_("There is too little speech to judge; at least %(seconds)s s are needed."),
    "voice_found": N_(
        "Of %(seconds)s s of speech that were judged, %(segments)s reached the threshold for a finding."
    ),
    "voice_below_threshold": N_(
        "%(seconds)s s of speech were judged; none of it reached the threshold for a finding."
    ),
    "voice_doubtful": N_(
        "The score of the speech is below the threshold for a finding, yet is too high to rule one out."
    ),
    "voice_unstable": N_(
        "Speech reached the threshold for a finding, but not in most of several views of the same sound "
        "(shifted, re-encoded, with a little noise)."
    ),
    "unusable_faces": N_("faces %(flaws)s to judge"),
    "no_face_found": N_("no face found"),
    "not_decoded": N_("no picture could be decoded here"),
    "from_damaged": N_("frames here rest on damaged or missing ones"),
    "breaks_off": N_("the file breaks off here"),
}
_SENTENCES |= {code: _template(text) for code, text in _TEMPLATES.items()}

_TRACES = {
    ManipulationKind.EDITED: N_("face that was replaced or altered"),
    ManipulationKind.GENERATED: N_("face generated as a whole"),
}


def _clauses(
    words: Words,
    traces: str = "",
    kinds: Sequence[str] = (),
    judged: Sequence[str] = (),
    contrast: bool = False,
) -> dict[str, str]:
    """Return the clauses of a finding about the kind of manipulation, and about contrast."""
    kind = ""
    if traces:
        kind = words.fill(
            N_("; the traces are those of a %(traces)s"),
            traces=words.message(_TRACES[ManipulationKind(traces)]),
        )
    elif kinds and not any(kinds):
        kind = words.fill(
            N_("; whether it was swapped or edited, or generated as a whole, the traces do not tell")
        )
    elif kinds:
        names = (words.message(name or N_("kind not told")) for name in kinds)
        kind = "; " + ", ".join(f"{person}: {name}" for person, name in zip(judged, names, strict=True))
    apart = N_("; it counted that the face there differs from the rest of its track")
    return {"kind": kind, "contrast": words.fill(apart) if contrast else ""}


@_sentence
def _manipulated(words: Words, persons: Sequence[str], segments: int, **clauses: CauseParameter) -> str:
    return words.fill(
        N_("%(who)s: %(count)s flagged as manipulated%(kind)s%(contrast)s."),
        who=words.persons(persons),
        count=words.count(segments, "segment"),
        **_clauses(words, **clauses),  # type: ignore[arg-type]
    )


@_sentence
def _photo_manipulated(words: Words, persons: Sequence[str], **clauses: CauseParameter) -> str:
    return words.fill(
        N_("%(who)s: the face carries traces of manipulation%(kind)s%(contrast)s."),
        who=words.persons(persons),
        **_clauses(words, **clauses),  # type: ignore[arg-type]
    )


@_sentence
def _briefly_above_threshold(
    words: Words, persons: Sequence[str], judged: int, frames: int, minimum_duration: float
) -> str:
    people = (
        N_("1 person judged in %(frames)s") if judged == 1 else N_("%(judged)s persons judged in %(frames)s")
    )
    return words.fill(
        N_(
            "%(seen)s; %(who)s reached the threshold for a finding, but for less than "
            "%(minimum_duration)s s at a time, which is too short for one."
        ),
        seen=words.fill(people, judged=judged, frames=words.count(frames, "sampled frame")),
        who=words.persons(persons),
        minimum_duration=words.number(f"{minimum_duration:g}"),
    )


@_sentence
def _doubtful(
    words: Words, persons: Sequence[str], minimum_duration: float | None = None, frames: int | None = None
) -> str:
    reached = words.fill(N_("no stretch reaches the threshold for a finding"))
    if minimum_duration is not None:
        reached = words.fill(
            N_("the threshold for a finding is reached, but for less than %(minimum_duration)s s at a time"),
            minimum_duration=words.number(f"{minimum_duration:g}"),
        )
    elif frames is not None:
        reached = words.fill(
            N_("the threshold for a finding is reached, but in no more than %(frames)s at a time"),
            frames=words.count(frames, "sampled frame"),
        )
    return words.fill(
        N_("%(who)s: %(reached)s, but the score over all frames is too high to rule one out."),
        who=words.persons(persons),
        reached=reached,
    )


@_sentence
def _no_face(words: Words, frames: int | None = None) -> str:
    if frames is None:
        where = words.fill(N_("in the picture"))
    else:
        where = words.fill(N_("in any of %(count)s"), count=words.count(frames, "sampled frame"))
    return words.fill(N_("No face was found %(where)s, so there was nothing to judge."), where=where)


@_sentence
def _photo_flaws(words: Words, faces: int, flaws: Sequence[str], minimum_face: float | None = None) -> str:
    needed = ""
    if minimum_face is not None:
        needed = words.fill(
            N_("; at least %(minimum_face)s pixels of width are needed"),
            minimum_face=words.number(f"{minimum_face:.0f}"),
        )
    return words.fill(
        N_("The face found is %(flaws)s to judge%(small)s.")
        if faces == 1
        else N_("The faces found are %(flaws)s to judge%(small)s."),
        flaws=words.flaws(flaws),
        small=needed,
    )


@_sentence
def _other_pictures(words: Words, faces: int, flaws: Sequence[str], other_flaws: Sequence[str] = ()) -> str:
    text = N_("The face found is %(flaws)s.") if faces == 1 else N_("The faces found are %(flaws)s.")
    if other_flaws:
        text = N_("The faces found are %(flaws)s, others %(other_flaws)s to judge.")
    unmeasured = N_(
        "The networks were neither made for such pictures nor measured on them, so no figure is given."
    )
    sentence = words.fill(text, flaws=words.flaws(flaws), other_flaws=words.flaws(other_flaws))
    return f"{sentence} {words.fill(unmeasured)}"


@_sentence
def _too_few_frames(words: Words, frames: int, minimum_usable_frames: int) -> str:
    return words.fill(
        N_("No person could be judged in more than %(count)s; %(needed)s before silence means anything."),
        count=words.count(frames, "sampled frame"),
        needed=_needed(words, minimum_usable_frames),
    )


@_sentence
def _mostly_damaged(words: Words, damaged: int, total: int) -> str:
    return words.fill(
        N_(
            "Nothing was flagged, but most frames that would have been sampled (%(damaged)s of %(frames)s) "
            "rest on damaged or missing ones and were not looked at."
        ),
        damaged=damaged,
        frames=total,
    )


@_sentence
def _mostly_discarded(
    words: Words, left: int, total: int, discarded: int, faces: int, unusable: int, flaws: Sequence[str] = ()
) -> str:
    not_judged = words.fill(
        N_("; %(not_judged)s of %(faces)s found could not be judged (%(flaws)s)"),
        faces=words.count(faces, "face"),
        not_judged=unusable,
        flaws=words.flaws(flaws) if flaws else words.fill(N_("too small, too unclear or too unsure")),
    )
    return words.fill(
        N_(
            "Nothing was flagged, but most detections (%(left)s of %(all)s) were not judged: %(discarded)s "
            "taken for no faces, since the face detector was never sure of them%(not_judged)s."
        ),
        left=left,
        all=total,
        discarded=discarded,
        not_judged=not_judged if unusable else "",
    )


@_sentence
def _other_tracks(words: Words, streams: Sequence[int]) -> str:
    named = ", ".join(words.fill(N_("stream %(index)s"), index=index) for index in streams)
    if len(streams) == 1:
        return words.fill(
            N_("The file holds %(count)s, not looked at (%(named)s)."),
            count=words.count(1, "more picture track"),
            named=named,
        )
    text = N_("The file holds %(others)s more picture tracks, not looked at (%(named)s).")
    return words.fill(text, others=len(streams), named=named)


@_sentence
def _other_pages(words: Words, pages: int) -> str:
    return words.fill(
        N_("The file holds %(count)s, not looked at."), count=words.count(pages, "more picture")
    )


@_sentence
def _out_of_order(words: Words, frames: int) -> str:
    if frames == 1:
        return words.fill(
            N_("1 intact frame, at a time that is not after the one before, was not looked at.")
        )
    text = N_("%(frames)s, each at a time that is not after the one before, were not looked at.")
    return words.fill(text, frames=words.count(frames, "intact frame"))


@_sentence
def _damaged(
    words: Words,
    lost_at_start: float = 0.0,
    between_key_frames: bool = False,
    undecodable: int = 0,
    from_damaged: int = 0,
    lost_at_end: float = 0.0,
    missing: float = 0.0,
) -> str:
    start = N_("the first %(seconds)s s cannot be decoded")
    if between_key_frames:
        start = N_("the first %(seconds)s s cannot be decoded (they begin between two key frames)")
    clauses = (
        (start, "seconds", lost_at_start, ".1f"),
        (
            N_("%(frames_undecodable)s of its frames or packets could not be used"),
            "frames_undecodable",
            undecodable,
            ",",
        ),
        (
            N_("frames that rest on damaged or missing ones were not looked at (%(frames)s)"),
            "frames",
            from_damaged,
            ",",
        ),
        (N_("the last %(seconds)s s cannot be decoded"), "seconds", lost_at_end, ".1f"),
        (N_("%(missing)s s are missing at its end"), "missing", missing, ".1f"),
    )
    damage = "; ".join(
        words.fill(text, **{name: words.number(f"{value:{form}}")})
        for text, name, value, form in clauses
        if value
    )
    return words.fill(N_("The file is damaged or incomplete: %(told)s."), told=damage)
