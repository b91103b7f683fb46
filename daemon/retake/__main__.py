"""``python -m retake``."""

from retake.cli import main

if __name__ == "__main__":
    main()
