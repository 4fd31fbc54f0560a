"""`python -m faceae.sagemaker train|serve|process|evaluate`: the entry point of the container."""

import sys

from ._container import run_command

if __name__ == "__main__":
    sys.exit(run_command(sys.argv[1:]))
