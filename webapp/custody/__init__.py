"""The custody log: its entries and key, and the checks of stored records against it.

:mod:`~webapp.custody.startup` opens the log, and :mod:`~webapp.custody.custody_log` appends and reads
entries. :mod:`~webapp.custody.job_records` and :mod:`~webapp.custody.people_records` compare single records
with it when they are loaded, :mod:`~webapp.custody.audit` everything at once, and
:mod:`~webapp.custody.integrity` checks log and exhibits on a schedule. :mod:`~webapp.exhibits.disclosure`
decides who may read the log; :mod:`~webapp.analyses.custody_pages` and :mod:`~webapp.analyses.custody_api`
show it. :mod:`~webapp.custody.signing` signs bundles and validations.
"""
