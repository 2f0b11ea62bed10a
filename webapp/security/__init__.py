"""Who asks, what they may do and see, and how often. Here: signing in, and what is kept of people.

:mod:`~webapp.security.accounts` makes and changes accounts, :mod:`~webapp.security.provider_accounts` those
of people whom a provider signs in, :mod:`~webapp.security.names` says what they may be called.
:mod:`~webapp.security.api_tokens` are what programs show, :mod:`~webapp.security.last_use` when one of these
or a session was used. :mod:`~webapp.security.authentication` compares a password and begins a session, out of
what ``sign_in`` has; ``access`` says what somebody may do and see, ``requests`` looks at what is sent before
a view does. Headers of answers are in `http`.
"""
