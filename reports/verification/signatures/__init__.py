"""Whether signatures and timestamps hold, whose they are, and who vouches for these.

:mod:`~reports.verification.signatures.checks` has the checks, for which
:mod:`~reports.verification.signatures.trust` says whose certificates are believed,
:mod:`~reports.verification.signatures.strict_cms` what is asked of a signature beyond its arithmetic,
:mod:`~reports.verification.signatures.incremental_updates` what may follow a signed report, and
:mod:`~reports.verification.signatures.trusted_time` whether timestamps hold. How files are signed is in
:mod:`reports.signing`.
"""
