"""Fusion, thresholds and calibration fitted to given weights; nothing here trains a network.

The step ``fit`` calls these in turn. :mod:`.exhibits` sends the develop clips through the engine and keeps
what a fusion needs of them. :mod:`.thresholds` fits the fusion (:mod:`.fusion`) and the thresholds on that,
and measures both for the card. :mod:`.photograph_fusion` and :mod:`.crop_calibration` do so for photographs
and ready-made crops, on patches: :mod:`.inputs` reads the network and has the fusion's inputs of these,
:mod:`.patch_scores` each network's logits and figures by clip. What only measures is in
:mod:`detector.training.second_look.measuring`.
"""
