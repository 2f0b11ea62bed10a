"""Recipes, losses and the training loop.

:mod:`.train` is the loop: by a recipe (:mod:`.config`), on examples of ``data``, it asks of each batch what
:mod:`.losses` has, draws its course (:mod:`.learning_curves`), and goes on from a checkpoint only where that
was made from the same (:mod:`.made_from`). ``publish`` makes weights and card of the checkpoint,
``evaluation`` measures these.

``second_look`` trains the network of the second look, ``covered_faces`` and ``proposals`` two small ones that
judge nothing, by what :mod:`.small_networks` has for both. :mod:`.run_step` ends a step that cannot be done
with one line. Examples that are made up come from ``synthesis``.
"""
