"""What networks are trained and measured on: data sets read, faces found and cut out in them, examples made.

- :mod:`.sources` opens what a recipe trains and validates on; :mod:`.cached_features` turns that into
  features, for networks whose backbone stays as it is.
- Of the research data, :mod:`.face_samples` gathers single faces and :mod:`.face_clips` faces that move,
  once; :mod:`.crop_examples` and :mod:`.sequence_examples` make one example after the other of these.
- Of a set of one's own, :mod:`.labelled_sets` reads the list, in which :mod:`.hard_examples` weighs what a
  model got wrong; :mod:`.own_set_examples` makes examples of pictures and of whole videos
  (:mod:`.video_crops`), or has them come one by one from videos that are decoded meanwhile
  (:mod:`.streamed_videos`). :mod:`.file_marks` tells afterwards from which files a model learnt.
- :mod:`.clip_table` says which research clips belong together, since they are of the same people.

Nothing here trains (:mod:`detector.training`) or measures (:mod:`detector.training.evaluation`).
"""
