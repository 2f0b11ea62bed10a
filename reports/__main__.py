"""``python -m reports``; see :mod:`reports.cli.main`."""

import sys

from reports.cli.main import main

sys.exit(main())
