"""``python -m holdall``: the command line."""

import sys

from holdall.cli import main

if __name__ == "__main__":
    sys.exit(main())
