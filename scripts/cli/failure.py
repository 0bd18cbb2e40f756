"""What ends a command."""


class CommandError(Exception):
    """A command cannot go on; the message says what, where, and what to do. ``code``: the command's exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
