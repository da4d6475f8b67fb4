"""`python -m pinnml.cli` is `pinnml`."""

from pinnml.cli import main

main()
