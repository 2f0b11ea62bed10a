"""Run ``python -m detector``; see :mod:`cli.engine.main`."""

import sys

from cli.engine.main import main

sys.exit(main())
