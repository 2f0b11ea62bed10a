"""Training, fusing and measuring the second look, the stronger network beside the one that scans.

``__main__`` names the steps, :mod:`.training_steps` and :mod:`.measuring_steps` run them; ``examples``,
``fitting`` and ``measuring`` lie below. In the order of docs/training.md:

- :mod:`.kept_tokens` keeps what the transformer makes of examples; :mod:`.halves` trains its blocks on that.
- :mod:`.linear_heads` has the regressions by which outputs are fitted: on what was kept, and then, on
  :mod:`.features` of the finished blocks, :mod:`.photograph_heads`, :mod:`.clip_heads` and
  :mod:`.altered_head`. :mod:`.patch_heads` trains the perceptron that reads single patches.
- After the step ``fit``, :mod:`.ship` writes weights and card, with the sentences of :mod:`.card_text`.
- :mod:`.scan` has the scan's network and its examples of the same patches, :mod:`.scan_loop` trains it.
  :mod:`.left_out_scan` does so without some generators, and measures how well it tells these.

:mod:`.run_files` has the folder of a run and the networks that steps start from.
"""
