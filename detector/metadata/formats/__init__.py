"""What files of one format tell of themselves, one module each (of MP4 and QuickTime:
:mod:`detector.media.exhibit.isobmff`, by which their lengths are known as well).

- :mod:`~detector.metadata.formats.photo`: how a photo is encoded and tagged. It asks
  :mod:`~detector.metadata.formats.png_text` for the texts of a PNG,
  :mod:`~detector.metadata.formats.jpeg_tables` of what quality a JPEG's tables are,
  :mod:`~detector.metadata.formats.thumbnail` whether the small picture in its EXIF shows the same, and
  :mod:`~detector.metadata.formats.behind_picture` what lies behind the picture.
- :mod:`~detector.metadata.formats.xmp`: XMP, of photos and videos.
- :mod:`~detector.metadata.formats.texts`: text as somebody wrote it, for what a file declares.
"""
