"""Settings: everything that differs between installations comes from the environment. See `.env.example`.

Those of `env.FROM_FILES` can also come from a file: NAME_FILE=/run/secrets/name.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from .env import Env, read_secret_files, take_literally

BASE_DIR = Path(__file__).resolve().parent.parent

environ.Env.read_env(BASE_DIR / ".env")  # does nothing where there is none; the real environment wins
env = Env()
env.escape_proxy = True
env.ENVIRON = take_literally(read_secret_files())


def words(name: str) -> list[str]:
    """Return a comma-separated setting as a list without spaces or empty parts."""
    return [part.strip() for part in env.str(name, default="").split(",") if part.strip()]


# ── Who and where ────────────────────────────────────────────────────────────────────────────────
DEBUG = env.bool("DEBUG", default=False)
IS_DEMO = bool(env.str("COUNTERSIGN_DEMO_FOLDER", default=""))  # `manage.py demo` sets it for its processes
SECRET_KEY = env.str("SECRET_KEY", default="")  # Django refuses to use an empty one
SECRET_KEY_FALLBACKS = words("SECRET_KEY_FALLBACKS")  # former keys, while what they signed is still about
TOKEN_KEYS = words("TOKEN_KEYS")  # newest first; see `rotatekeys`
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in ("http", "https") or not _public.hostname or _public.path:
    raise ImproperlyConfigured("PUBLIC_URL must look like https://signatures.acme.com, without a path.")
IS_HTTPS = _public.scheme == "https"
ALLOWED_HOSTS = words("ALLOWED_HOSTS") or [_public.hostname]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# ── Outreach ─────────────────────────────────────────────────────────────────────────────────────
OUTREACH_BASE_URL = env.str("OUTREACH_BASE_URL", default="https://api.outreach.io").rstrip("/")
OUTREACH_CLIENT_ID = env.str("OUTREACH_CLIENT_ID", default="")
OUTREACH_CLIENT_SECRET = env.str("OUTREACH_CLIENT_SECRET", default="")
OUTREACH_HOURLY_CALLS = env.int("OUTREACH_HOURLY_CALLS", default=10_000)
IS_SANDBOX = urlsplit(OUTREACH_BASE_URL).hostname in ("127.0.0.1", "localhost", "::1")

# ── Pieces ───────────────────────────────────────────────────────────────────────────────────────
INSTALLED_APPS = [
    "portal",
    "integrations",
    "signatures",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
    "django_q",
]

MIDDLEWARE = [
    "portal.middleware.answer_probes",
    "django.middleware.security.SecurityMiddleware",
    "signatures.serving.middleware.answer_banners",  # behind TLS, before sessions and all else
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.trace_requests",  # behind banners and static files, which have no line in the log
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",  # before what may refuse a request
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.accounts.session_limits.end_old_sessions",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",  # pages are closed unless they opt out
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.accounts.second_step.SecondStepMiddleware",
    "portal.middleware.show_page_of_form",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context_processors.portal",
            ],
        },
    }
]

# ── Rows ─────────────────────────────────────────────────────────────────────────────────────────
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'countersign.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = 60  # without it, enqueuing is ten times slower
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # WAL lets readers read beside a writer. IMMEDIATE takes the write lock at once, so that a
    # transaction which reads first waits its turn instead of failing without regard to the timeout.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA wal_autocheckpoint=4000;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # A cursor of the server's outlives its transaction, and a pooler gives the connection away between two of them.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
    # Without it, whoever connects to a server that hangs or cannot be reached waits for two minutes, or for ever.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 10)

# Views and clicks of banners, until they are in the database; a folder of this machine's own disk.
_file = str(DATABASES["default"]["NAME"]) if "sqlite3" in DATABASES["default"]["ENGINE"] else ""
_beside = BASE_DIR if _file.startswith((":", "file:")) or not _file else Path(_file).absolute().parent
SPOOL_FOLDER = env.str("SPOOL_FOLDER", default=str(_beside / "spool"))

REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            "socket_connect_timeout": 5,
            "socket_timeout": 5,
        },  # one that hangs would hold pages for ever
    }
    if REDIS_URL
    # Shared by all processes, as the login limits must be; its table comes with the migrations.
    else {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "portal_cache"}
}

# ── Web server ───────────────────────────────────────────────────────────────────────────────────
WEB_WORKERS = env.int("WEB_WORKERS", default=2)  # processes on this machine
WEB_THREADS = env.int("WEB_THREADS", default=4)  # for pages, in each process; see portal/rsgi.py
if WEB_WORKERS < 1 or WEB_THREADS < 1:
    raise ImproperlyConfigured("WEB_WORKERS and WEB_THREADS are 1 or more.")

# ── Background ───────────────────────────────────────────────────────────────────────────────────
# What is owed stands in our own rows; a task only wakes it up. A lost one is found by the sweep within
# minutes, so `retry` may be long: it must exceed timeout × (1 + ceil((queue_limit + 1) / workers)).
# Long tasks have a queue and worker processes of their own; portal/background.py says which they are.
Q_CLUSTER = {
    "name": "countersign",
    "orm": "default",
    "broker_class": "portal.worker.broker.Broker",
    "workers": env.int("WORKERS", default=2),
    "timeout": 1800,
    "retry": 7200,
    "max_attempts": 3,
    "ack_failures": True,
    "queue_limit": 1,
    "save_limit": 1000,
    "save_limit_per": "func",
    "catch_up": False,
    "bulk": 1,
    "poll": 0.5,
    "label": "Background tasks",
    "ALT_CLUSTERS": {"long": {"workers": env.int("LONG_WORKERS", default=2)}},
}
LEDGER_KEEP_DAYS = env.int("LEDGER_KEEP_DAYS", default=400)  # `pruneledger` takes nothing younger
SYNC_KEEP_DAYS = env.int("SYNC_KEEP_DAYS", default=90)  # at least 30; see portal/batches.py
DELIVERY_KEEP_DAYS = env.int("DELIVERY_KEEP_DAYS", default=365)
COUNT_KEEP_DAYS = env.int("COUNT_KEEP_DAYS", default=1095)  # daily counts; at least 400
DECIDED_KEEP_DAYS = env.int(
    "DECIDED_KEEP_DAYS", default=365
)  # decided changes, closed invitations; at least 30
CHECK_IMAGE_ADDRESSES = env.bool("CHECK_IMAGE_ADDRESSES", default=not IS_DEMO)  # once, as they are typed
MEDIA_KEEP_DAYS = env.int("MEDIA_KEEP_DAYS", default=365)  # of removed images that nothing names
HEARTBEAT_GRACE_SECONDS = env.int("HEARTBEAT_GRACE_SECONDS", default=90)
# What a killed process held is taken over after at most both together, and a few seconds; see docs/status.md.
LEASE_SECONDS = env.int("LEASE_SECONDS", default=15)  # renewed every third of it
SWEEP_SECONDS = env.int("SWEEP_SECONDS", default=10)
if LEASE_SECONDS < 3 or SWEEP_SECONDS < 1:
    raise ImproperlyConfigured("LEASE_SECONDS is 3 or more, SWEEP_SECONDS 1 or more.")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # without it, nobody reads /metrics

# ── Decisions ────────────────────────────────────────────────────────────────────────────────────
DECISIONS_PER_SECOND = env.int("DECISIONS_PER_SECOND", default=50)  # of one key; bursts of twice as many
# Of one domain, caused by image requests. The older name counts until version 0.2.
RECIPIENT_LOOKUPS_PER_HOUR = env.int(
    "RECIPIENT_LOOKUPS_PER_HOUR", default=env.int("READER_LOOKUPS_PER_HOUR", default=500)
)

# ── Counting ─────────────────────────────────────────────────────────────────────────────────────
SCANNER_NETWORKS = words("SCANNER_NETWORKS")  # such as 203.0.113.0/24; see docs/counting.md

# ── Login ────────────────────────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "portal:home"
ACCOUNT_ADAPTER = "portal.adapters.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "portal.adapters.SocialAccountAdapter"
MFA_ADAPTER = "portal.adapters.MFAAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
SOCIALACCOUNT_STORE_TOKENS = False  # it would store them in the clear
# The secret stays out of allauth: codes are exchanged by our own client.
SOCIALACCOUNT_PROVIDERS = {"outreach": {"APPS": [{"client_id": OUTREACH_CLIENT_ID, "secret": ""}]}}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
SSO_PRIVATE_HOSTS = words("SSO_PRIVATE_HOSTS")  # identity providers that may stand in a private network
HAS_SAML = find_spec("onelogin") is not None  # the extra `saml`
REQUIRE_MFA = env.bool("REQUIRE_MFA", default=not DEBUG)  # of owners and staff; a domain may ask it of all
ACCOUNT_FORMS = {
    "login": "portal.forms.entrance.SignInForm",
    "reset_password": "portal.forms.entrance.NewPasswordForm",
    "add_email": "portal.forms.entrance.AddAddressForm",
}
MFA_FORMS = {"activate_totp": "portal.accounts.second_step.SetUpAppForm"}
MFA_TOTP_ISSUER = "Countersign"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG or IS_DEMO
USERSESSIONS_TRACK_ACTIVITY = False  # it would write to the database at every request
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=0)
if ALLAUTH_TRUSTED_PROXY_COUNT < 0:
    raise ImproperlyConfigured("TRUSTED_PROXIES is the number of reverse proxies in front: 0, 1 or more.")

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = (
    20  # seconds of silence; a server that hangs would hold a worker for half an hour, and a page for ever
)
DEFAULT_FROM_EMAIL = env.str("FROM_EMAIL", default=f"Countersign <no-reply@{_public.hostname}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
ADMINS = [(address, address) for address in words("ERROR_EMAILS")]
NOTICE_WEBHOOK_URL = env.str("NOTICE_WEBHOOK_URL", default="")  # of the installation; see docs/notices.md
NOTICE_WEBHOOK_SECRET = env.str("NOTICE_WEBHOOK_SECRET", default="")
NOTICE_SLACK_URL = env.str("NOTICE_SLACK_URL", default="")
DISK_LOW_MB = env.int("DISK_LOW_MB", default=1024)  # free on a worker's machine
NOTICE_PRIVATE_HOSTS = words("NOTICE_PRIVATE_HOSTS")  # receivers that may stand in a private network
DEFAULT_EXCEPTION_REPORTER = "portal.error_reports.PlainReporter"  # Django's own would mail what people typed

# ── The mail gateway ─────────────────────────────────────────────────────────────────────────────
MAILGATEWAY_LISTEN = env.str("MAILGATEWAY_LISTEN", default="127.0.0.1:10025")
MAILGATEWAY_NEXT_HOP = env.str("MAILGATEWAY_NEXT_HOP", default="127.0.0.1:10026")
MAILGATEWAY_TLS = env.str("MAILGATEWAY_TLS", default="off")
MAILGATEWAY_TRUSTED = words("MAILGATEWAY_TRUSTED") or ["127.0.0.0/8", "::1/128"]
MAILGATEWAY_DEADLINE = env.float("MAILGATEWAY_DEADLINE", default=3.0)
MAILGATEWAY_SIZE_LIMIT = env.int("MAILGATEWAY_SIZE_LIMIT", default=50 * 1024 * 1024)

# ── Doors and locks ──────────────────────────────────────────────────────────────────────────────
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_HTTPS
SECURE_HSTS_PRELOAD = IS_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
if ALLAUTH_TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "countersign_session"
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "countersign_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.views.errors.csrf_failure"
SESSION_COOKIE_AGE = 12 * 60 * 60
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # data: for the QR code of a one-time-password set-up
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF, OUTREACH_BASE_URL],  # connecting is a POST that redirects there
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

# ── Words, time, files ───────────────────────────────────────────────────────────────────────────
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = ["portal.formats"]  # dates in the admin look like those of the pages
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or IS_DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# Files whose name, or whose folder's, holds their digest: kept for ever by browsers and mail programs.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.+\.[0-9a-f]{12}\..+$|/social-[0-9a-f]{12}/"
WHITENOISE_USE_FINDERS = DEBUG or IS_DEMO

LOG_FORMAT = env.str("LOG_FORMAT", default="text")
if LOG_FORMAT not in ("text", "json"):
    raise ImproperlyConfigured("LOG_FORMAT is text or json.")
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured("LOG_LEVEL is DEBUG, INFO, WARNING, ERROR or CRITICAL.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "portal.operations.logging.TextFormatter"},
        "json": {"()": "portal.operations.logging.JSONFormatter"},
    },
    "filters": {
        "outages": {"()": "portal.operations.logging.OutageFilter"},
        "addresses": {"()": "portal.error_reports.AddressFilter"},
        "mails": {"()": "portal.operations.logging.MailFilter"},
        "not_debug": {"()": "django.utils.log.RequireDebugFalse"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT},
        "mail": {
            "class": "django.utils.log.AdminEmailHandler",
            "level": "ERROR",
            "filters": ["not_debug", "mails"],
        },
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # Full URLs would carry filters and, at the callback, a code.
    "loggers": {
        "urllib3": {"level": "WARNING"},
        "django": {"handlers": ["mail"], "level": "INFO"},
        "django.request": {"level": "ERROR", "filters": ["addresses"]},
        "django.security.csrf": {"filters": ["addresses"]},
        # It would write two lines for each task, some 39,000 a day while idle.
        "django-q": {"level": "WARNING", "filters": ["outages"]},
        "fido2": {"level": "WARNING"},  # it would write each new security key's id down
        "mail.log": {"level": "CRITICAL"},  # aiosmtpd's; it would write addresses and commands down
    },
}
if LOG_FORMAT == "json":
    logging.captureWarnings(True)  # Python's own would be lines of text
