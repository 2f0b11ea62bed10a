"""Whether signatures and timestamps hold, whose they are, and who vouches for these.

:mod:`~reports.verification.signatures.checks` has the checks. How files are signed is in
:mod:`reports.signing`.
"""
