"""Backups of all that the web app keeps, and putting them back; not what becomes of single cases."""
