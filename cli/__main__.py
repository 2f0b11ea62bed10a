"""``python -m cli``: ``reelproof`` in a checkout; see :mod:`cli.main`."""

import sys

from cli.main import main

sys.exit(main(program="python -m cli"))
