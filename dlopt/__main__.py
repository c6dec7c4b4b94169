"""`python -m dlopt`, and so `torchrun -m dlopt`: the command line."""

from dlopt.cli.main import main

if __name__ == "__main__":
    main()
