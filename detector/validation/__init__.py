"""A laboratory's own validation: labelled material in, ``validation.json`` out."""
