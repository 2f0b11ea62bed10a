"""How well copies and parts are found again by fingerprints: the tables of docs/copies.md.

``python -m detector.training.evaluation.fingerprints`` makes copies (:mod:`.copies`) of clips, whose
fingerprints are kept (:mod:`.kept_fingerprints`), and compares with other programs' hashes
(:mod:`.other_hashes`).
"""
