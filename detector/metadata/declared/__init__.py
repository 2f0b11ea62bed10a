"""What a file declares of its making, which anybody may have written: never part of the verdict.

- :mod:`~detector.metadata.declared.c2pa` reads Content Credentials,
  :mod:`~detector.metadata.declared.generation_texts` recognises what image generators write, and
  :mod:`~detector.metadata.declared.source_types` has IPTC's digital source types in plain words.
- :mod:`~detector.metadata.declared.known_programs`: programs that leave their name in files, by what they are
  for.
- :mod:`~detector.metadata.declared.declarations` says it from all these places;
  :mod:`~detector.metadata.declared.photo_declarations` of a photo file of which nothing else is examined.
"""
