"""Single words of results, rows and views that are translated where they are shown.

They stand in schemas, enumerations and databases, which are English; here they are marked for translation.
"""

from __future__ import annotations

from reports.text.language import N_, ngettext

WORDS = (
    # verdicts, kinds and meanings
    N_("manipulated"), N_("no manipulation found"), N_("inconclusive"), N_("face swap or edit"),
    N_("generated face"), N_("generated"), N_("composite"), N_("edited"), N_("captured"), N_("inconsistent"),
    # states, priorities and stages
    N_("queued"), N_("running"), N_("paused"), N_("done"), N_("failed"), N_("cancelled"),
    N_("Queued"), N_("Running"), N_("Paused"), N_("Done"), N_("Failed"), N_("Cancelled"),
    N_("low"), N_("normal"), N_("high"), N_("finding and scoring faces"), N_("writing the report"),
    N_("finding where segments begin and end"), N_("making a thumbnail"), N_("reading the exhibit"),
    N_("reading"), N_("looking again"), N_("explaining"),
    N_("putting the result into the store"), N_("fetching the exhibit from the store"),
    N_("fetching the two files from the store"), N_("finding what the exhibit shows of the reference"),
    N_("finding how its picture lies in the reference's"), N_("drawing"), N_("finishing"),
    N_("comparing faces and surroundings"),
    # roles and permissions
    N_("reader"), N_("reviewer"), N_("examiner"), N_("administrator"), N_("read"), N_("export"),
    N_("annotate"), N_("analyse"), N_("watch"), N_("arrange"), N_("delete"), N_("configure"), N_("audit"),
    N_("administer"),
    # annotations
    N_("agree"), N_("disagree"), N_("unsure"), N_("agrees"), N_("disagrees"),
    # facts
    N_("video"), N_("photograph"), N_("none"), N_("yes"), N_("no"), N_("constant"), N_("variable"),
    N_("measured"), N_("unnamed"), N_("grey"), N_("colour"), N_("palette"), N_("not judged"), N_("exhibit"),
    N_("reference"), N_("inside"), N_("outside"), N_("not known"), N_("share"), N_("audio"), N_("subtitle"),
    # reasons of a result
    N_("too small"), N_("too unsure"), N_("too dark or too flat"), N_("too noisy"), N_("no face found"),
    N_("too blurred or too strongly compressed"), N_("drawn in areas of one colour"),
    N_("without colours of their own (black and white, or toned)"),
    N_("without detail (enlarged from a tiny picture, or far out of focus)"), N_("faces %(flaws)s to judge"),
    N_("the file breaks off here"), N_("no picture could be decoded here"),
)  # fmt: skip


def counted(number: int) -> tuple[str, ...]:
    """What sentences of results count."""
    return (
        ngettext("sampled frame", "sampled frames", number),
        ngettext("more picture", "more pictures", number),
        ngettext("more picture track", "more picture tracks", number),
    )
