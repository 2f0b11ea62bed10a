"""Who somebody is: passwords, second factor, single sign-on, and the session that is kept of it."""
