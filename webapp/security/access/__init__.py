"""What somebody may do, which analyses they see, and what a second reviewer does not see.

In this order: :mod:`~webapp.security.access.permissions`, by role and scope;
:mod:`~webapp.security.access.visibility`; :mod:`~webapp.security.access.blinding`.
"""
