"""Portal: the processes, people, domains and pages of Countersign."""

__version__ = "0.1.0"  # the one place; pyproject.toml reads it from here
