"""``python -m tlswire`` is the command line."""

from tlswire.cli import main

main()
