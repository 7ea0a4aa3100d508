"""`python -m cs231n_fer` is the command line `cs231n-fer`."""
import sys

from .commands.main import main

if __name__ == "__main__":
    sys.exit(main())
