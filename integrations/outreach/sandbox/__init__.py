"""A fake Outreach on a real socket, for the demo, the tests and bug reports.

It is written from Outreach's published pages independently of the client, and imports nothing of this project and
nothing of Django, so that a mistake in the client fails against it. What the pages do not describe gets a 501.
"""

from .sandbox import Sandbox

__all__ = ["Sandbox"]
