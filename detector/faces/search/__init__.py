"""The search for faces in frames. Start at :mod:`detector.faces.search.search`."""
