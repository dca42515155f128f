"""WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from signatures.serving.refresher import REFRESHER  # noqa: E402 - models are there now

REFRESHER.enable()
