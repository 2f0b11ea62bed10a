"""Who asks, what they may do and see, and how often. Here: accounts, the names they may have, and API tokens.

``sign_in`` finds out who somebody is, ``access`` says what they may do and see, ``requests`` looks at what
is sent before a view does. Headers of answers are in `http`.
"""
