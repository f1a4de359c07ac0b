"""`python -m cvqn`."""

import sys

from cvqn.cli import main

sys.exit(main())
