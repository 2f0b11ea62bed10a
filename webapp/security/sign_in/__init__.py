"""Who somebody is: passwords, second factor, single sign-on, and the session that is kept of it.

A try is counted by :mod:`~webapp.security.sign_in.login_throttle` before
:mod:`~webapp.security.sign_in.passwords` compares. Where a :mod:`~webapp.security.sign_in.second_factor` is
asked for, :mod:`~webapp.security.sign_in.pending_sign_in` remembers meanwhile whose password was right. Or
:mod:`~webapp.security.sign_in.openid` asks the organisation's provider instead. Then
:mod:`~webapp.security.sign_in.sessions` keeps who is signed in, and :mod:`~webapp.security.sign_in.cookies`
has the browser's part of it. The pages are in :mod:`webapp.pages.people`.
"""
