#!/usr/bin/env python
"""Django's command line for Countersign."""

import os
import sys

from portal import __version__


def main() -> None:
    if sys.argv[1:] in (["--version"], ["version"]):  # Django would print its own
        sys.stdout.write(f"Countersign {__version__}\n")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
