"""Run ``python -m detector``; see :mod:`detector.cli.main`."""

import sys

from detector.cli.main import main

sys.exit(main())
