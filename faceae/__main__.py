"""`python -m faceae` is the `faceae` command."""

from faceae.cli import main

if __name__ == "__main__":
    main()
