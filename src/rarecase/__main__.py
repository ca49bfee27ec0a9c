"""The program `rarecase`, and `python -m rarecase`, which is what `accelerate launch -m rarecase` runs."""

import sys


def main() -> None:
    """Runs the command line; Ctrl-C while its modules are imported, before it can say more, is no traceback either."""
    try:
        from rarecase.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("rarecase: stopped; nothing was written; repeat the command", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
