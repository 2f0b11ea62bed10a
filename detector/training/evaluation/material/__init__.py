"""What models are measured on, and what they say of it.

:mod:`.own_set_split` says which of a data set of one's own is measured. :mod:`.crops` has single crops;
:mod:`.clips` lists whole clips and has them analysed, by :mod:`.recorded_clips`, which finds their faces once
for all models. :mod:`.robustness` does so with distorted ones. :mod:`.short_clips` reads and writes clips as
frames in memory, of which others are composed.
"""
