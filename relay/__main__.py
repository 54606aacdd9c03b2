"""`python -m relay`: the same as the console script `relay`. Everything it does lives in relay/cli."""

from relay.cli import main

if __name__ == "__main__":
    main(prog_name="relay")
