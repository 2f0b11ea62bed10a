"""How a finding came about, in the order of the work.

:mod:`~reports.text.procedure.videos` is asked about all exhibits and leaves photographs to
:mod:`~reports.text.procedure.photographs`.
"""
