"""The one exception of `relay up`: something that its user has to put right.

Its text is shown as it is, so it says what is wrong, where, and what to do.
"""


class StartError(Exception):
    """`relay up` cannot start or go on. `exit_code` is what the command ends with: 1 failed, 2 wrong configuration."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
