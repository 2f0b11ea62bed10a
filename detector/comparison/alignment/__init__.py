"""Where and when an exhibit lies in its reference: place in the picture, time map, exact view."""
