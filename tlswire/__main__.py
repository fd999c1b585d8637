"""``python -m tlswire``: the command line without its script."""

from tlswire.cli import main

main()
