"""Content Credentials of the exhibit, in words."""

from __future__ import annotations

from detector.schema.metadata import Credentials
from reports.text.numbers import shown
from reports.text.translation.language import N_, Quoted, gettext
from reports.view.facts import Fact

NOTE = N_(
    "Content Credentials are signed statements about a file's making. Most files "
    "have none, and any program can remove them: their absence proves nothing. "
    "Valid ones show that the file is as the signer left it, not that what the "
    "signer says is true."
)


def short(found: Credentials | None) -> str:
    """Content Credentials in one line; empty for an older analysis."""
    if found is None:
        return ""
    if not found.checked:
        return gettext("not looked for")
    if not found.found:
        return gettext("named but elsewhere; not fetched") if found.remote else gettext("none found")
    if not found.valid:
        return gettext("found, NOT valid")
    return (
        gettext("found, valid, signer not on a trust list")
        if not found.trusted
        else gettext("found, valid, signer trusted")
    )


def credential_facts(found: Credentials | None) -> tuple[Fact, ...]:
    """What was found, who signed it and what it claims; empty for an older analysis."""
    if found is None:
        return ()
    facts = [Fact(gettext("Content Credentials"), short(found))]
    if found.note:
        facts.append(Fact(gettext("Remark"), found.note))
    if found.remote:
        facts.append(Fact(gettext("Said to be at"), found.remote, exact=True))
    if found.found:
        facts += [Fact(gettext("Failed check"), Quoted(check)) for check in found.failed]
        facts += [
            Fact(
                gettext("Signer"),
                Quoted(found.signer or "") or gettext("not named"),
                gettext("not checked against a trust list: none is shipped"),
            ),
            Fact(gettext("Signer's organisation"), Quoted(found.issuer or "") or gettext("not named")),
            Fact(gettext("Signed"), Quoted(found.signed or "") or gettext("no time stamp")),
            Fact(gettext("Made with"), Quoted(found.generator or "") or gettext("not named")),
            Fact(gettext("Actions claimed"), Quoted("; ".join(found.actions)) or gettext("none")),
            Fact(gettext("Ingredients"), shown(found.ingredients, ",")),
        ]
    if found.library:
        facts.append(
            Fact(gettext("Checked with"), Quoted(found.library), gettext("offline: nothing was fetched"))
        )
    return tuple(facts)
