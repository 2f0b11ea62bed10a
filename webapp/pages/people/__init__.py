"""Pages about people: signing in, one's own account, all accounts, API tokens."""
