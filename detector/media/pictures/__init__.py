"""Single pictures: photo files, turned upright, of high dynamic range, and cuts between them.

Before anything is decoded, :mod:`~detector.media.pictures.photo_file` reads a photo by Pillow, of which
:mod:`~detector.media.pictures.orientation` and :mod:`~detector.media.pictures.colour_profile` ask what EXIF
and profile say; :mod:`~detector.media.pictures.gif_file` tells which pictures of a GIF animation FFmpeg
shows wrongly. Then the reader does with each frame, in this order: colours as sRGB, by
:mod:`~detector.media.pictures.hdr` or :mod:`~detector.media.pictures.colour_profile`;
:mod:`~detector.media.pictures.transparency` on a plain ground; turned upright by its
:mod:`~detector.media.pictures.orientation`; set on the canvas of the frames before it
(:mod:`~detector.media.pictures.letterbox`). :mod:`~detector.media.pictures.cuts` tells where a new scene
begins, for who follows faces through the frames.
"""
