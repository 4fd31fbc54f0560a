"""`python -m faceae` is the `faceae` command."""

from faceae.cli import main

main()
