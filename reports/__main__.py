"""``python -m reports``; see :mod:`cli.reports.main`."""

import sys

from cli.reports.main import main

sys.exit(main())
