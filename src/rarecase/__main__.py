"""`python -m rarecase`, which is what `accelerate launch -m rarecase` runs."""

from rarecase.cli.main import main

if __name__ == "__main__":
    main()
