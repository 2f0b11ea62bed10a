"""What people do with a case, from its making to its end; what is refused for its sake is in `case_rules`.

:mod:`~webapp.services.cases.making` makes it, and changes its name and description;
:mod:`~webapp.services.cases.members` are let in, :mod:`~webapp.services.cases.assignment` puts analyses in,
and :mod:`~webapp.services.cases.details` keeps what is said of it for the reports of each. Where a member or
an analysis leaves, both ask :mod:`~webapp.services.cases.ownership` whose analyses are from then on.
:mod:`~webapp.services.cases.closing` ends it: closed, opened again, or purged.
"""
