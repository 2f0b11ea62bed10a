"""Blended, animated and degraded examples made from photographs and clips.

Of single pictures: :mod:`.blending` makes pseudo-fakes, :mod:`.degradations` lets what platforms do pass over
both classes alike. Of sequences: :mod:`.animation` moves a photograph, :mod:`.video_blending` carries one
blend through the frames, :mod:`.sequence_degradations` does to all of them what cuts and codecs do.
:mod:`.motion_transfer` makes of one frame another of the same clip, as generators do that animate a picture.
"""
