"""A laboratory's own validations: made of analyses that are done, kept, and quoted in reports.

:mod:`~webapp.services.validations.making` has one made in a process of its own
(:mod:`~webapp.services.validations.process`); :mod:`~webapp.services.validations.stored` has those there are;
:mod:`~webapp.services.validations.quoted_extract` is what of one of them reports quote.
"""
