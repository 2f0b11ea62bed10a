"""Pages about people: signing in, one's own account, all accounts, API tokens.

:mod:`~webapp.pages.people.login` asks for the password and answers with the new session: where an account
has a :mod:`~webapp.pages.people.second_factor` after that page's code, by single sign-on after the
:mod:`~webapp.pages.people.provider` says who it is. One's own are :mod:`~webapp.pages.people.account`,
which names sessions by :mod:`~webapp.pages.people.browser_names`,
:mod:`~webapp.pages.people.second_factor`, which is set up there as well, and
:mod:`~webapp.pages.people.api_tokens`; :mod:`~webapp.pages.people.accounts` is for administrators.
"""
