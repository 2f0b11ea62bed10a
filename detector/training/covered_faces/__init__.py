"""The network that tells covered faces (:mod:`detector.faces.covered`), from pictures to what ships.

Nobody labelled covered faces here: :mod:`.covers` draws what covers them on pictures of bare ones. The steps
of ``__main__``: :mod:`.pictures` gathers crops, once; :mod:`.train` trains the :mod:`.network` on
:mod:`.examples`, half of which are covered; on some :mod:`.bare` draws what covers nothing; :mod:`.measure`
counts, with drawings by other rules; :mod:`.ship` puts network and card among the models.
"""
