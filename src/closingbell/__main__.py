"""``python -m closingbell`` is ``closingbell``."""

from closingbell.cli_commands import main

main()
