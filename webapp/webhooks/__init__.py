"""Webhooks: ``registry`` has which there are, ``messages`` what each is owed, ``delivery`` sends that.

``signature`` signs a message; ``request`` is the one request that carries it.
"""
