"""Render the view model as HTML and PDF, and write the files of a result."""
