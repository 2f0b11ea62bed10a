"""Anomalies of metadata: kind, observation, why it may matter, and an innocent explanation."""

from __future__ import annotations

from collections.abc import Callable

from detector.schema.causes.cause import PARAMETERS, Cause, CauseCode, Message, Parameter, Words, render
from detector.schema.formatting import N_, timecode


def place(words: Words, text: str) -> str:
    """Return the place of a tag or time in a file, such as ``file``, ``stream 0`` or ``PNG text``."""
    kind, _, number = text.partition(" ")
    if kind == "stream" and number.isdecimal():
        return words.fill(N_("stream %(index)s"), index=number)
    if kind == "track" and number.isdecimal():
        return words.fill(N_("track %(track)s"), track=number)
    return words.message(text)


def parts(separator: str) -> Callable[[Words, tuple[Cause, ...]], str]:
    """Return a form of causes, with ``separator`` between them."""
    return lambda words, causes: words.message(separator).join(render(cause, words) for cause in causes)


def _time_span(words: Words, seconds: int) -> str:
    if seconds >= 2 * 86400:
        return words.fill(N_("%(days)s days"), days=words.number(f"{seconds // 86400:,}"))
    hours, rest = divmod(seconds // 60, 60)
    if not hours:
        return words.fill(N_("%(minutes)s min"), minutes=rest)
    return words.fill(N_("%(hours)s h %(minutes)s min"), hours=hours, minutes=rest)


def _more(words: Words, number: int) -> str:
    return words.fill(N_(" and %(more)s more"), more=number) if number else ""


def decimals(form: str) -> Callable[[Words, float], str]:
    """Return a form of numbers, such as ``.1f``."""
    return lambda words, value: words.number(f"{value:{form}}")


def both(words: Words, values: tuple[Cause, ...] | tuple[int, ...]) -> str:
    """Return causes or numbers joined by "and"."""
    text, *others = (render(value, words) if isinstance(value, Cause) else str(value) for value in values)
    for other in others:
        text = words.fill(N_("%(first)s and %(second)s"), first=text, second=other)
    return text


def one(words: Words, causes: tuple[Cause]) -> str:
    """Return the single cause of a parameter."""
    return render(causes[0], words)


def _per_cent(form: str) -> Callable[[Words, float], str]:
    return lambda words, share: words.number(f"{100 * share:{form}}")


def timecode_form(_words: Words, seconds: float) -> str:
    """Return seconds as a timecode."""
    return timecode(seconds)


PARAMETERS |= {
    "apart": Parameter(int, "seconds between two written times", form=_time_span),
    "backwards": Parameter(int, "decoded frames whose time is not after the one before", form=decimals(",")),
    "backwards_packets": Parameter(
        int, "packets whose decoding time is not after the one before", form=decimals(",")
    ),
    "behind_end": Parameter(int, "bytes of sound behind the stated end", form=decimals(",")),
    "changes": Parameter(tuple, "what edit lists change", form=parts("; ")),
    "correlation": Parameter(float, "correlation of thumbnail and picture", form=decimals(".2f")),
    "delay": Parameter(float, "seconds that a track waits", form=decimals(".3f")),
    "different": Parameter(int, "number of different ones"),
    "duration": Parameter(float, "seconds of what was decoded", form=timecode_form),
    "durations": Parameter(tuple, "durations as stated", form=parts(", ")),
    "edits": Parameter(tuple, "what the edits of one track change", form=parts(", ")),
    "gaps": Parameter(tuple, "the first gaps", form=parts(", ")),
    "height": Parameter(int, "px"),
    "hidden_frames": Parameter(int, "frames that an edit list does not show", form=decimals(",")),
    "index": Parameter(int, "number of a stream"),
    "interlaced": Parameter(float, "share of sampled frames", form=_per_cent(".0f")),
    "length": Parameter(float, "seconds of a gap", form=decimals(".3f")),
    "moments": Parameter(tuple, "times in the file", form=parts(", ")),
    "more": Parameter(int, "number of those that are not listed", form=_more),
    "name": Parameter(str, "name of a tag or time"),
    "pictures": Parameter(int, "pictures in the file", form=decimals(",")),
    "place": Parameter(str, "where in the file", form=place),
    "played": Parameter(int, "number of stretches that an edit list plays"),
    "profile": Parameter(str, "Dolby Vision profile and compatibility"),
    "rate": Parameter(float, "seconds of a track played in one second", form=decimals("g")),
    "signs": Parameter(tuple, "signs of several encodings", form=both),
    "sizes": Parameter(tuple, "sizes of pictures, px", form=lambda _words, sizes: ", ".join(sizes)),
    "start": Parameter(float, "seconds from the first frame", form=timecode_form),
    "stated": Parameter(float, "seconds, as stated in the file", form=timecode_form),
    "tags": Parameter(tuple, "the first tags", form=parts(", ")),
    "time": Parameter(str, "a time as written, or in UTC"),
    "track": Parameter(int, "number of a track"),
    "tracks": Parameter(tuple, "tracks that were not examined", form=parts(", ")),
    "transparent": Parameter(
        float, "share of the picture", form=lambda words, v: words.number(f"{100 * v:.1f}")
    ),
    "unreadable": Parameter(
        tuple, "what cannot be read, and why", form=lambda words, texts: "; ".join(texts)
    ),
    "value": Parameter(str, "value of a tag"),
    "width": Parameter(int, "px"),
}


class AnomalyPart(CauseCode):
    """What observations list."""

    TAG = N_("“%(value)s” (%(place)s, %(name)s)")
    MOMENT = N_("%(time)s (%(place)s, %(name)s)")
    FILE_DURATION = N_("the file %(stated)s")
    PICTURES_DURATION = N_("the stream of pictures %(stated)s")
    SOUND_DURATION = N_("sound (stream %(index)s) %(stated)s")
    PICTURE_TRACK = N_("stream %(index)s (%(codec)s)")
    TRACK_EDITS = N_("track %(track)s %(edits)s")
    HIDDEN_FRAME = N_("1 frame is in the file and not shown")
    HIDDEN_FRAMES = N_("%(hidden_frames)s frames are in the file and not shown")
    WAITS = N_("waits %(delay)s s")
    WAITS_AFTER_STRETCH = N_(
        "waits %(delay)s s after a stretch, for which its beginning was examined once more"
    )
    BEGINS_LATE = N_("begins %(delay)s s into its material")
    PLAYS_AT_RATE = N_("plays at rate %(rate)s")
    IN_STRETCHES = N_("consists of %(played)s stretches")
    ENCODER_SETTINGS = N_("%(different)s different settings of the encoder")
    SEQUENCE_HEADERS = N_("%(different)s different sequence headers")
    CODEC_HEADERS = N_("%(different)s different codec headers")
    SAMPLE_DESCRIPTIONS = N_("%(different)s sample descriptions for one track")
    GAP = N_("%(length)s s from %(start)s")


class AnomalyCode(CauseCode):
    """Something in the metadata that a person should look at."""

    def __init__(self, kind: str, observation: Message, concern: str, innocent: str) -> None:
        super().__init__(observation)
        self.kind, self.concern, self.innocent = kind, concern, innocent

    @property
    def message(self) -> Message:
        return self.value[1]

    EDITING_SOFTWARE = (
        N_("editing software"),
        N_("Tags name editing software: %(tags)s%(more)s."),
        N_("The file was written, or its source processed, by a program that can change pictures."),
        N_(
            "Cutting, titles, colour correction, developing raw photos or only exporting leave the "
            "same tag, and anyone can write tags."
        ),
    )
    GENERATING_SOFTWARE = (
        N_("generating software"),
        N_("Tags name software that makes or swaps pictures: %(tags)s%(more)s."),
        N_("Such programs make pictures, or parts of them, that no camera took."),
        N_(
            "A name may occur for another reason; some programs also retouch, enlarge or remove noise, "
            "and anyone can write tags."
        ),
    )
    SCREEN_RECORDING = (
        N_("screen recording"),
        N_("Tags name software that records screens: %(tags)s%(more)s."),
        N_("The exhibit may show another recording being played, so its own traces are weakened."),
        N_("Calls, lessons and games are recorded this way; the same programs also save camera pictures."),
    )
    CONVERTED = (
        N_("converted"),
        N_("Tags name a converter rather than a camera: %(tags)s%(more)s."),
        N_("The file is probably not the first recording; it does not show what came before."),
        N_(
            "Messengers, social networks, archives, and some cameras and phones write "
            "files with the same libraries."
        ),
    )
    UNREADABLE_TIME = (
        N_("unreadable time"),
        N_("A tag for a time contains no time: %(moments)s%(more)s."),
        N_("No camera writes this; some program or person did."),
        N_("A program that fills tags with placeholders."),
    )
    FUTURE_TIME = (
        N_("time in the future"),
        N_("Stored times are later than the analysis: %(moments)s%(more)s."),
        N_("At least this stored time is wrong, so others from the same clock may be too."),
        N_("A camera's clock set wrong, or reset after its battery was empty."),
    )
    EARLY_TIME = (
        N_("time before digital video"),
        N_("Stored times are earlier than 1990: %(moments)s%(more)s."),
        N_("The stored time cannot be that of the recording."),
        N_("A clock that was never set, or a program that writes zero."),
    )
    CREATION_TIMES_DISAGREE = (
        N_("creation times disagree"),
        N_("Stored creation times are %(apart)s apart: %(moments)s."),
        N_("Parts of the file, or the file and its pictures, were written on different days."),
        N_(
            "Editing, converting or copying by some programs gives the file a new date and keeps the "
            "old date of its parts."
        ),
    )
    FILE_AND_STREAM_TIMES_DIFFER = (
        N_("file and stream times differ"),
        N_("The time of the file and those of its streams differ by %(apart)s."),
        N_("The container was written at another moment than its streams, as remuxing does."),
        N_(
            "Long recordings, time zones (whole hours), and programs that copy the date of streams from "
            "their source."
        ),
    )
    CHANGED_LATER = (
        N_("changed after it was made"),
        N_("The file says it was changed %(apart)s after it was made."),
        N_("Part of the file was written again later."),
        N_("Rotating, naming, tagging, trimming in a phone's gallery or copying by some programs."),
    )
    THUMBNAIL_DIFFERS = (
        N_("thumbnail differs"),
        N_(
            "The EXIF thumbnail (%(width)s×%(height)s px) differs from the picture "
            "(correlation %(correlation)s)."
        ),
        N_("The picture may have been changed by a program that kept the old thumbnail."),
        N_("Cropping, turning, filters and some phones' own processing have the same effect."),
    )
    UNUSUAL_TABLES = (
        N_("unusual compression tables"),
        N_("The JPEG's tables are not libjpeg's, and tags name software: %(tags)s%(more)s."),
        N_("Programs use their own tables, so one may have saved the picture."),
        N_("Most cameras also have their own tables, and name their firmware in the same tag."),
    )
    UNUSABLE_COLOURS = (
        N_("unusable colour profile"),
        N_(
            "The file's colour information cannot be used. The colours were examined as they are "
            "stored, as sRGB."
        ),
        N_("A program that uses this information shows other colours than those examined."),
        N_("Some programs write damaged profiles, or those of another kind of picture."),
    )
    FURTHER_PICTURES = (
        N_("more than one picture"),
        N_("The file holds %(pictures)s pictures; the first one was examined."),
        N_("What the others show was not examined."),
        N_("Animations, and depth or preview pictures that phones store beside the photo."),
    )
    PICTURES_BESIDE_MAIN = (
        FURTHER_PICTURES[0],
        N_("The file holds %(pictures)s pictures; the one marked as main was examined."),
        *FURTHER_PICTURES[2:],
    )
    TRANSPARENCY_NOT_EXAMINED = (
        N_("transparency that was not examined"),
        N_("The video declares transparent areas. The complete pictures were examined, as if they had none."),
        N_("Faces that players hide may have been examined, and the background is missing."),
        N_("Cut-out persons and titles for video editing are stored this way."),
    )
    TRANSPARENT_AREAS = (
        N_("transparent areas"),
        N_(
            "%(transparent)s %% of the picture is fully or partly transparent. It was examined on a "
            "plain background, as viewers show it."
        ),
        N_("Pixels that a program erased remain in the file; they are not visible and were not examined."),
        N_("Cut-outs, logos, screenshots of windows and round corners are stored this way."),
    )
    TRANSPARENT_SPOTS = (
        TRANSPARENT_AREAS[0],
        N_(
            "Less than 0.1 %% of the picture is fully or partly transparent. It was examined on a "
            "plain background, as viewers show it."
        ),
        *TRANSPARENT_AREAS[2:],
    )
    MORE_BEHIND_PICTURES = (
        N_("more behind the pictures"),
        N_(
            "The examined pictures end at %(share)s %% of the file. What follows was not examined: it is "
            "sound, or other streams that begin there."
        ),
        N_("Several recordings may have been joined; players and this analysis show the first."),
        N_("Downloads of streams with advertisements, and files joined without re-encoding, look the same."),
    )
    SECOND_FILM = (
        MORE_BEHIND_PICTURES[0],
        N_("The file has more than one table of contents (moov). Pictures of the first were examined."),
        *MORE_BEHIND_PICTURES[2:],
    )
    PICTURE_SIZE_CHANGES = (
        N_("the picture size changes"),
        N_(
            "Frames have different sizes in the file: %(sizes)s px. All were examined on a canvas of "
            "%(width)s×%(height)s px, each as large as fits."
        ),
        N_(
            "Recordings may have been joined; in small frames, faces have less detail than their size "
            "suggests."
        ),
        N_("Calls and streams adapt pictures to the network; phones are rotated while recording."),
    )
    CROPPED_BY_PLAYERS = (
        N_("players are to crop the picture"),
        N_(
            "The file tells players to show %(width)s×%(height)s px of each picture. The complete "
            "picture was examined."
        ),
        N_("Faces that some players hide may have been examined; other players show them."),
        N_("Cameras and editors leave out edges that hold no picture."),
    )
    DOLBY_VISION = (
        N_("colours of Dolby Vision"),
        N_(
            "The pictures are Dolby Vision of profile %(profile)s, whose colours only players for it "
            "show correctly. They were examined in other colours."
        ),
        N_("Wrong colours may hide traces of manipulation, or look like some."),
        N_("Streaming services deliver films this way."),
    )
    INTERLACED = (
        N_("interlaced pictures"),
        N_(
            "%(interlaced)s %% of the sampled frames are stored as two fields, which may show "
            "different moments. They were examined as stored: moving parts have combed edges."
        ),
        N_("Combed edges on a moving face may hide traces of manipulation, or look like some."),
        N_("Television, DVDs and many camcorders store pictures this way; most players smooth them."),
    )
    DURATIONS_DISAGREE = (
        N_("durations disagree"),
        N_("Decoded frames last %(duration)s, but the file states: %(durations)s."),
        N_("Pictures or sound are missing, were cut, or begin and end at different times."),
        N_("A recording that broke off, a partial copy, longer sound, or rounding by simple programs."),
    )
    SOUND_IS_SHORTER = (
        DURATIONS_DISAGREE[0],
        N_("The sound lasts %(duration)s, but %(stated)s is stated."),
        N_("Sound is missing, or was cut away."),
        N_("Recording that broke off, a partial copy, or rounding by simple programs."),
    )
    SOUND_IS_LONGER = (
        *SOUND_IS_SHORTER[:2],
        N_("Sound was added, or recordings were joined."),
        N_("Downloads joined from parts, and programs that write the header before they know the length."),
    )
    MORE_BEHIND_SOUND = (
        N_("more behind the sound"),
        N_(
            "The file holds %(behind_end)s more bytes of the same sound behind the end that its header "
            "states. They were examined with it."
        ),
        N_("Players stop at the stated end, so others may not have heard the rest."),
        N_("Recorders that broke off before they wrote the length, and recordings joined byte by byte."),
    )
    OTHER_PICTURE_TRACK = (
        N_("another picture track"),
        N_("The file holds more than one track of pictures; not examined: %(tracks)s."),
        N_("Another program, or a viewer's choice, may show other pictures than those examined."),
        N_(
            "Cameras with two lenses, recordings of meetings, and copies in another "
            "resolution hold several tracks."
        ),
    )
    EDIT_LIST = (
        N_("edit list"),
        N_("The file's edit list changes what is played: %(changes)s."),
        N_("A player does not show everything in the file; hidden frames are not examined."),
        N_(
            "Trimming on a phone without converting, cutting at key frames, and the start "
            "of sound are stored this way."
        ),
    )
    SEVERAL_ENCODINGS = (
        N_("more than one encoding"),
        N_("The stream of pictures holds %(signs)s."),
        N_("Stretches that were encoded separately were put together."),
        N_(
            "Cameras that split recordings, live streams of changing quality, and advertisements "
            "joined without re-encoding look the same."
        ),
    )
    TIME_GAPS = (
        N_("gaps in time"),
        N_("There is no new frame for unusually long: %(gaps)s%(more)s."),
        N_("Frames may have been removed, or were never recorded."),
        N_("Phones in poor light, calls and streams on poor networks, screens that did not change, slides."),
    )
    TIMES_OUT_OF_ORDER = (
        N_("time stamps out of order"),
        N_(
            "Time stamps run backwards or repeat: %(backwards)s of decoded frames, "
            "%(backwards_packets)s of packets."
        ),
        N_("Stretches may have been joined, or the file was written by a faulty program."),
        N_("Streams that were interrupted, and simple converters, leave such stamps."),
    )
    UNREADABLE_METADATA = (
        N_("unreadable metadata"),
        N_("Metadata that cannot be read: %(unreadable)s."),
        N_("What it says about the making of the file is missing from this result."),
        N_("Damage in storage or transfer, and programs that write metadata of their own kind."),
    )


class UnusedCode(CauseCode):
    """Why a packet or frame could not be used."""

    FRAME_OUT_OF_ORDER = N_("a frame whose time is not after the one before")
    FRAME_WITH_ERRORS = N_("a frame decoded with errors")
    CONTAINER_BREAKS_OFF = N_("the container breaks off")
    PICTURE_REFUSED = N_("a picture the decoder refused")
    PACKET_REFUSED = N_("a packet the decoder refused")
    PACKET_IN_PART = N_("a packet that the file holds in part")
