"""The custody log's rows and key, who acts, and checks: of exhibits' bytes, and of what else is kept.

:mod:`~webapp.custody.log` appends and reads entries. What is kept is compared with them by the modules that
:mod:`~webapp.custody.altered` names when it is read, and all of it by :mod:`~webapp.custody.audit`. Format
and chain are in `reports.custody`.
"""
