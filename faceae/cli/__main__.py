"""`python -m faceae.cli`."""

from faceae.cli import main

main()
