"""Settings of the test suite: the product's own, with fast hashing and fixed keys."""

import os
import tempfile

os.environ.setdefault("SECRET_KEY", "tests-only-" + "k" * 50)
os.environ.setdefault("TOKEN_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
os.environ.setdefault("OUTREACH_CLIENT_ID", "sandbox-client")
os.environ.setdefault("OUTREACH_CLIENT_SECRET", "sandbox-secret")
os.environ.setdefault(
    "OUTREACH_BASE_URL", "http://127.0.0.1:9"
)  # nobody listens; tests point at their own sandbox
os.environ.setdefault("DEBUG", "False")
os.environ.setdefault("CHECK_IMAGE_ADDRESSES", "False")  # the tests about it switch it on
os.environ.setdefault("REQUIRE_MFA", "False")  # the tests about it switch it on
if "DATABASE_URL" not in os.environ:  # with a database of its own, an installation has its spool beside it
    os.environ.setdefault("SPOOL_FOLDER", f"{tempfile.gettempdir()}/countersign-spool-of-tests")

from portal.settings import *  # noqa: F403 - a settings module is extended by import

ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "*").split(",")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {  # the manifest storage needs collectstatic first
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405 - see above
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"  # noqa: F405 - nobody pulls the plug
