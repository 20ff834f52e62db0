"""``python -m closingbell.replay``: the same as ``closingbell replay``, without the rest of the commands."""

from closingbell.commands.replay import replay

if __name__ == "__main__":
    replay(prog_name="python -m closingbell.replay")
