"""`python -m glmtrader`."""

from glmtrader.cli import main

if __name__ == "__main__":
    main()
