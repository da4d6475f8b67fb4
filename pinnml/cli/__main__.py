"""`python -m pinnml.cli` is `pinnml`."""

from pinnml.cli.application import main

main()
