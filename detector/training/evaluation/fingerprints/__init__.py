"""How well copies and parts are found again by fingerprints: the tables of docs/copies.md."""
