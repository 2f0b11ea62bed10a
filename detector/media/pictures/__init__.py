"""Single pictures: photo files, turned upright, of high dynamic range, and cuts between them."""
