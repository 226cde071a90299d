"""Every environment variable, read once, here; a table in the README says what each is."""

import logging
from functools import partial
from pathlib import Path

from csp.constants import NONE, SELF

from autorouter_site import required
from autorouter_site.bootstrap import BASE_DIR, LOCAL_HOSTS

env = required.Env()
VAR_DIR = Path(env.str("AUTOROUTER_VAR_DIR", default=str(BASE_DIR / "var")))
# Written by quickstart; a variable of the real environment wins over a line of the file.
env.read_env(VAR_DIR / "env")

# No default: a missing secret must stop the start, not weaken it.
SECRET_KEY = env.checked("SECRET_KEY", required.secret)
AUTOROUTER_KEY_PEPPER = env.checked("AUTOROUTER_KEY_PEPPER", required.secret)
# "version:base64 of 32 bytes", comma separated; the first one encrypts, all decrypt.
AUTOROUTER_CREDENTIAL_KEYS = required.key_ring(
    "AUTOROUTER_CREDENTIAL_KEYS", env.list("AUTOROUTER_CREDENTIAL_KEYS")
)

DEBUG = False
ALLOWED_HOSTS = env.list("AUTOROUTER_HOSTS", default=[*LOCAL_HOSTS])
CSRF_TRUSTED_ORIGINS = env.list("AUTOROUTER_ORIGINS", default=[])
AUTOROUTER_HTTPS = env.checked("AUTOROUTER_HTTPS", required.flag, default="false")

INSTALLED_APPS = [
    "autorouter_site.apps.SiteAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "csp",
    "rest_framework",
    "autorouter_site.apps.SiteConfig",
    "routing",
    "activity",
    "settings_ui",
]

# Only pages and the management API pass through these; autorouter_site/asgi.py hands the
# completion endpoint to a handler that runs none of them.
MIDDLEWARE = [
    "autorouter_site.health.probes",
    "autorouter_site.unavailable.DatabaseErrors",
    "django.middleware.security.SecurityMiddleware",
    "autorouter_site.static_files.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # The innermost, because it is synchronous: so is all outside of it then. Asynchronous ones
    # would change threads twice each, a tenth of what a small page costs.
    "autorouter_site.caching.no_store",
]

ROOT_URLCONF = "autorouter_site.urls"
# A redirected POST loses its body, so the API has no trailing slashes and nobody adds one.
APPEND_SLASH = False

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
            ],
        },
    },
]

# DATABASE_URL is PostgreSQL; quickstart sets it to its embedded server when it is missing.
DATABASES = {"default": env.checked("DATABASE_URL", required.database)}
# Under ASGI a page runs in a thread of its own; a connection it kept would serve nobody else.
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 2)
# Counts of attempts to sign in; with the default of 300, guessing many names would drop them.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "activity"
LOGOUT_REDIRECT_URL = "sign-in"

USE_I18N = False
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "autorouter_site.formats"

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = AUTOROUTER_HTTPS
SESSION_COOKIE_AGE = 7 * 24 * 3600
SECURE_SSL_REDIRECT = AUTOROUTER_HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if AUTOROUTER_HTTPS else 0
# They ask for includeSubDomains and preload: other servers of the domain are not ours to bind.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if AUTOROUTER_HTTPS else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    },
}

# The guard in front of Django holds the real caps; with this one no body ever touches the disk.
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["routing.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "routing.negotiation.JsonAlone",
    # Answers to OPTIONS, which would describe our views: there is no such call.
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "routing.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

# The first start of quickstart makes this user; an empty password means a random one.
AUTOROUTER_INIT_ADMIN_USER = env.str("AUTOROUTER_INIT_ADMIN_USER", default="admin")
AUTOROUTER_INIT_ADMIN_PASSWORD = env.str("AUTOROUTER_INIT_ADMIN_PASSWORD", default="")

# Celery: nothing a client waits for. The default broker is the same PostgreSQL.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="pgmq://")

# How long a conversation keeps its model after its last successful request.
AUTOROUTER_STICKY_SECONDS = env.checked(
    "AUTOROUTER_STICKY_SECONDS", partial(required.whole, least=0), default="300"
)
# Days that requests are kept, errors and refusals too; 0 keeps them for ever.
AUTOROUTER_RETENTION_DAYS = env.checked("AUTOROUTER_RETENTION_DAYS", required.days, default="0")
# host:port of upstreams that may be private or loopback addresses; none unless listed.
AUTOROUTER_PRIVATE_UPSTREAMS = env.list("AUTOROUTER_PRIVATE_UPSTREAMS", default=[])
# host:port of the offline demo provider; empty means that there is none.
AUTOROUTER_DEMO_UPSTREAM = env.str("AUTOROUTER_DEMO_UPSTREAM", default="")
AUTOROUTER_MAX_BODY_BYTES = env.checked(
    "AUTOROUTER_MAX_BODY_BYTES", required.whole, default="16777216"
)
# Completions of one key that a worker answers at once; it takes 2,000 of all keys.
AUTOROUTER_MAX_PARALLEL = env.checked("AUTOROUTER_MAX_PARALLEL", required.whole, default="1000")
# Seconds until an upstream must have sent its first byte, the next one, and the last one.
AUTOROUTER_FIRST_BYTE_SECONDS = env.checked(
    "AUTOROUTER_FIRST_BYTE_SECONDS", required.seconds, default="60"
)
AUTOROUTER_NEXT_BYTE_SECONDS = env.checked(
    "AUTOROUTER_NEXT_BYTE_SECONDS", required.seconds, default="120"
)
# A JSON answer has its first byte only when it is complete.
AUTOROUTER_ANSWER_SECONDS = env.checked(
    "AUTOROUTER_ANSWER_SECONDS", required.seconds, default="300"
)
AUTOROUTER_TOTAL_SECONDS = env.checked("AUTOROUTER_TOTAL_SECONDS", required.seconds, default="1800")

# Keys of providers, by the variable that each provider names. An operator may name any of these
# and send it to an address of their own, so no other secret of this process is among them.
PROVIDER_KEY_ENDINGS = ("_API_KEY", "_API_TOKEN")
AUTOROUTER_PROVIDER_KEYS = {
    name: value for name, value in env.ENVIRON.items() if name.endswith(PROVIDER_KEY_ENDINGS)
}

AUTOROUTER_LOG_LEVEL = env.checked("AUTOROUTER_LOG_LEVEL", required.level, default="WARNING")
# A warning is a line of JSON as well.
logging.captureWarnings(capture=True)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "autorouter_site.logs.SecretFilter"}},
    "formatters": {"json": {"()": "autorouter_site.logs.JsonFormatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "filters": ["secrets"],
        }
    },
    # A client's mistake is answered to the client; it is no news for the operator.
    "loggers": {"django.request": {"level": "ERROR"}},
    "root": {"handlers": ["stderr"], "level": AUTOROUTER_LOG_LEVEL},
}
