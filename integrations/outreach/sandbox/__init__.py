"""A fake Outreach on a real socket, for the demo, the tests and bug reports.

A second reading of Outreach's published pages: it imports nothing of this project and nothing of
Django, so that a misreading in the client shows as a disagreement. Where the pages are silent it
answers 501.
"""

from .sandbox import Sandbox

__all__ = ["Sandbox"]
