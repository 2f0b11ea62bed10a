"""When the exhibit's frames are shown, and which of them are key frames, in words."""

from __future__ import annotations

from detector.schema.analysis import Media
from detector.schema.metadata import Details, Groups, Timing
from reports.text import numbers
from reports.text.numbers import grouped, plural, shown, timecode
from reports.text.translation.language import gettext
from reports.view.facts import Fact

_OF_NO_RATE = ("webp_pipe", "gif")  # older analyses hold what FFmpeg makes up


def timing_facts(media: Media, details: Details) -> tuple[Fact, ...]:
    """Frame rates, intervals and groups of frames; empty for an older analysis."""
    found: list[Fact] = []
    picture, timing, groups = details.picture, details.timing, details.groups
    if timing is None or groups is None:
        return ()
    if picture:
        if picture.declared_frame_rate and media.container not in _OF_NO_RATE:
            fitting = _exactly(picture.declared_frame_rate)
            guess = gettext("a guess of FFmpeg")
            found.append(Fact(gettext("Least rate that fits all time stamps"), fitting, guess))
        found.append(Fact(gettext("Frame rate on average"), _exactly(media.frame_rate)))
    found.append(Fact(gettext("Frame intervals"), *_intervals(timing, media.variable_frame_rate)))
    if picture:
        lengths = (
            (gettext("the file"), picture.container_duration),
            (gettext("its pictures"), picture.stream_duration),
        )
        told = [f"{name} {timecode(value)}" for name, value in lengths if value is not None]
        found.append(Fact(gettext("Durations as stated"), ", ".join(told) or gettext("none stated")))
    found.append(Fact(gettext("Frames by kind"), _kinds(groups)))
    found.append(Fact(gettext("Key frames"), *_keys(groups)))
    if timing.packets_not_shown:
        found.append(
            Fact(
                gettext("Not shown"),
                plural(timing.packets_not_shown, "frame", "frames"),
                gettext("cut away by the edit list"),
            )
        )
    return tuple(found)


def _intervals(timing: Timing, variable: bool) -> tuple[str, str]:
    if timing.least_interval is None or timing.greatest_interval is None:
        return gettext("one frame only"), ""
    least, greatest = (
        shown(1000 * value, ".3f") for value in (timing.least_interval, timing.greatest_interval)
    )
    kind = gettext("variable") if variable else gettext("constant")
    if least == greatest:
        return gettext("%(kind)s, %(least)s ms", kind=kind, least=least), "measured"
    return (
        gettext("%(kind)s, %(least)s to %(greatest)s ms", kind=kind, least=least, greatest=greatest),
        gettext("measured; median %(median)s ms", median=shown(1000 * (timing.median_interval or 0), ".3f")),
    )


def _kinds(groups: Groups) -> str:
    kinds = (
        ("I", groups.i_frames),
        ("P", groups.p_frames),
        ("B", groups.b_frames),
        (gettext("other"), groups.other_frames),
    )
    return ", ".join(f"{grouped(count)} {name}" for name, count in kinds if count) or gettext("not known")


def _keys(groups: Groups) -> tuple[str, str]:
    if not groups.packets:  # of an animation that FFmpeg did not read
        return gettext("not known"), ""
    if groups.shortest is None or groups.longest is None:
        return shown(groups.key_frames, ","), ""
    apart = (
        gettext("every %(frames)s", frames=plural(groups.longest, "frame", "frames"))
        if groups.shortest == groups.longest
        else gettext(
            "%(shortest)s to %(longest)s frames apart, median %(median)s",
            shortest=shown(groups.shortest, ","),
            longest=shown(groups.longest, ","),
            median=shown(groups.median, "g"),
        )
    )
    leads = groups.with_leading_frames
    kind = (
        gettext("%(leads)s with frames shown before them: open groups", leads=shown(leads, ","))
        if leads
        else gettext("closed groups")
    )
    return f"{grouped(groups.key_frames)}, {apart}", kind


def _exactly(rate: str | None) -> str:
    if rate is None:
        return gettext("not stated")
    if (decimal := numbers.ratio(rate)) is None:
        return rate
    return gettext(
        "%(fraction)s (%(decimal)s a second)", fraction=rate, decimal=numbers.number(round(decimal, 3))
    )
