"""`python -m accord` is the command `accord`."""

from __future__ import annotations

import sys

from accord.cli.main import main

sys.exit(main())
