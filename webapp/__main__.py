"""``python -m webapp``: the app (:mod:`webapp.serve`) or, with arguments, a command of :mod:`cli.web`."""

import sys

from cli.web.main import main

sys.exit(main())
