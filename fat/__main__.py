"""`python -m fat` is the command `stellwerk`."""

from fat.cli import main

if __name__ == "__main__":
    main()
