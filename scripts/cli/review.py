"""Review."""
def review() -> None:
    """x"""
