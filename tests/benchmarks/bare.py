"""The least a Django view can do: the same bytes as a banner, and nothing else. What serving is compared with."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from portal.webserver.thread_pool import ThreadPool
from portal.webserver.wsgi_adapter import WSGIAdapter

CONTENT = Path(os.environ["BARE_FILE"]).read_bytes()

settings.configure(SECRET_KEY="of no use here", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[])


def picture(request: HttpRequest, key: str) -> HttpResponse:
    return HttpResponse(CONTENT, content_type="image/png")


urlpatterns = [path("b/<str:key>", picture)]
pool = ThreadPool("pictures", threads=4, most_waiting=2_000)
application = WSGIAdapter(get_wsgi_application(), get_pool=lambda path: pool)
