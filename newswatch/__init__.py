"""What every stage shares: the types at the stage boundaries, the settings, the errors."""

__version__ = "0.1.0"
