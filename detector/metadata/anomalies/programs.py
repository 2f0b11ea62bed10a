"""Programs that a file's tags name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detector.metadata.declared import known_programs
from detector.schema.metadata import Anomaly, Tag
from detector.schema.translatable import N_

# For each use of programs: kind, observation, concern and innocent explanation of the anomaly.
_USES = (
    (
        known_programs.EDITORS,
        N_("editing software"),
        N_("Tags name editing software: %(listed)s."),
        N_("The file was written, or its source processed, by a program that can change pictures."),
        N_(
            "Cutting, titles, colour correction, developing raw photos or only exporting "
            "leave the same tag, and tags can be written by anybody."
        ),
    ),
    (
        known_programs.GENERATORS,
        N_("generating software"),
        N_("Tags name software that makes or swaps pictures: %(listed)s."),
        N_("Such programs make pictures, or parts of them, that no camera took."),
        N_(
            "A name may stand there for another reason; some programs also retouch, "
            "enlarge or remove noise, and tags can be written by anybody."
        ),
    ),
    (
        known_programs.RECORDERS,
        N_("screen recording"),
        N_("Tags name software that records screens: %(listed)s."),
        N_("The exhibit may show another recording being played, so its own traces are weakened."),
        N_("Calls, lessons and games are recorded this way; the same programs also save camera pictures."),
    ),
    (
        known_programs.CONVERTERS,
        N_("converted"),
        N_("Tags name a converter rather than a camera: %(listed)s."),
        N_("The file is probably not the first recording; what was before cannot be told from it."),
        N_(
            "Messengers, social networks, archives, and some cameras and phones write "
            "files with the same libraries."
        ),
    ),
)


def of_programs(tags: tuple[Tag, ...]) -> Iterator[Anomaly]:
    """One anomaly for each use of which the tags name a program."""
    for programs, kind, observation, concern, innocent in _USES:
        if naming := known_programs.named(tags, programs):
            yield Anomaly(
                kind=kind,
                observation=observation % {"listed": listed(naming)},
                concern=concern,
                innocent=innocent,
            )


def listed(tags: Iterable[Tag]) -> str:
    """The first four tags, each with its value and place, and how many more there are."""
    told = list(dict.fromkeys(f"“{tag.value[:80]}” ({tag.place}, {tag.name})" for tag in tags))
    return ", ".join(told[:4]) + (N_(" and %(told)s more") % {"told": len(told) - 4} if len(told) > 4 else "")
