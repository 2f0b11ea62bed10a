"""The small network that proposes where faces may be: examples, training, measuring.

The steps of ``__main__``: :mod:`.pictures` gathers pictures with CenterFace's faces in them, once;
:mod:`.train` trains the :mod:`.network` on canvases of pieces of these (:mod:`.examples`); :mod:`.measure`
counts how many of CenterFace's faces it leads to; :mod:`.ship` puts network and card among the models.
"""
