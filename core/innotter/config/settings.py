"""Django's settings, made of what environment.py has read."""

import logging
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from innotter.config import environment as variables
from innotter_contracts.logs import configure_logs

environment = variables.load()

DEVELOPMENT = variables.DEVELOPMENT
INNOTTER_ENV = environment.innotter_env
SECRET_KEY = environment.secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = [key.get_secret_value() for key in environment.secret_key_fallbacks]
SIGNING_KEYS_FILE = environment.signing_keys_file
TRUSTED_PROXIES = environment.trusted_proxies
LIMITS = {**variables.LIMITS, **environment.limits}
EMAIL_CONFIRMATION = environment.email_confirmation
UNCONFIRMED_MAY_WRITE = environment.unconfirmed_may_write
REGISTRATION = environment.registration
RESERVED_NAMES = frozenset(environment.reserved_names)
PAGES_PER_USER = environment.pages_per_user
SECOND_FACTOR_REQUIRED = environment.second_factor_required
ALLOWED_HOSTS = environment.allowed_hosts
API_PROCESSES = environment.api_processes
API_THREADS = environment.api_threads
WORKER_THREADS = environment.worker_threads
CORE_URL = environment.core_url
STATISTICS_INTERNAL_URL = environment.statistics_internal_url or environment.statistics_url
AMQP_URL = environment.amqp_url.get_secret_value()
MAIL_FROM = environment.mail_from
SNS_TOPIC_ARNS = frozenset(environment.sns_topic_arns)
MEDIA_BUCKET = environment.media_bucket
# With a slash at the end.
MEDIA_URL = (environment.media_url or f"{environment.aws_endpoint_url}/{MEDIA_BUCKET}").rstrip(
    "/"
) + "/"
EXPORT_BUCKET = environment.export_bucket
EXPORT_ENDPOINT_URL = environment.export_endpoint_url or environment.aws_endpoint_url
METRICS_HOST = environment.metrics_host
METRICS_PORT = environment.metrics_port
# Errors are problem documents and log lines everywhere, development included.
DEBUG = False

ACCESS_TOKEN_SECONDS = 600
REFRESH_TOKEN_DAYS = 30
OUTBOX_REACTIONS = "innotter.config.reactions.reactions_to"

INSTALLED_APPS = [
    # Before django.contrib.auth, so that createsuperuser and changepassword are ours.
    "innotter.moderation",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "corsheaders",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "innotter.common",
    "innotter.events",
    "innotter.media",
    "innotter.accounts",
    "innotter.pages",
    "innotter.posts",
    "innotter.feed",
    "innotter.mail",
    "innotter.exports",
    "innotter.deletion",
    "innotter.search",
    "innotter.statistics",
    "innotter.web",
    "django_htmx",
    "innotter.config",
]

MIDDLEWARE = [
    "innotter.common.middleware.RequestLogMiddleware",
    "innotter.common.middleware.CompressionMiddleware",
    "innotter.common.middleware.PrivateAnswersMiddleware",
    "innotter.common.middleware.CorsMiddleware",
    "innotter.common.middleware.SecurityHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "innotter.web.middleware.PollMiddleware",
    "innotter.accounts.middleware.SessionMiddleware",
    "innotter.accounts.middleware.AccessTokenMiddleware",
    # Without replicas there is none.
    "innotter.accounts.middleware.ReplicaMiddleware",
    "innotter.web.middleware.ReaderMiddleware",
    # Before a form is judged; the person is known, and in what language they read.
    "innotter.common.middleware.MaintenanceMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "innotter.web.middleware.SiteMessagesMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "innotter.common.middleware.ErrorsMiddleware",
]

ROOT_URLCONF = "innotter.config.urls"
APPEND_SLASH = False
# Bytes of a body that is no file. Ours have some hundred.
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
# Bytes of a body with a file. Twice what a picture may have: one that is a little too large is
# told so, and what is far too large is not read.
FILE_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
# HSTS and secure cookies follow the scheme of the public URL.
HTTPS = CORE_URL.startswith("https://")
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
# Other hosts are not ours to bind: the operator says so.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = environment.hsts_subdomains
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
# `no-referrer` has browsers send `Origin: null`, and Django then refuses every form.
SECURE_REFERRER_POLICY = "same-origin"
# With it a browser begins another process for the page, while a phone waits (decision 185).
SECURE_CROSS_ORIGIN_OPENER_POLICY = None
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    # Swagger UI alone writes styles into its elements: config/urls.py.
    "style-src": ["'self'"],
    # A picture that is about to be sent is a blob; the panel's styles have theirs within.
    "img-src": ["'self'", "blob:", "data:", MEDIA_URL],
    "font-src": ["'self'"],
    "manifest-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}
# Never with cookies: the API knows none.
CORS_ALLOWED_ORIGINS = environment.cors_origins
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = ["authorization", "content-type", "idempotency-key", "x-request-id"]
CORS_EXPOSE_HEADERS = ["Retry-After", "X-Request-ID"]
# A browser takes `__Host-` from this host alone, for all its paths, and over https; over http it
# would drop it.
COOKIE_PREFIX = "__Host-" if HTTPS else ""
SITE_SESSION_COOKIE = f"{COOKIE_PREFIX}session"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "innotter.common.problems.csrf_failure"
# Words that wait for the next page lie in a signed cookie, which has these flags.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
# What people see of an error where HTML is asked for.
ERROR_PAGE = "innotter.web.errors.error_page"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before those of Django's admin.
        "DIRS": [
            *filter(None, [environment.site_templates]),
            Path(__file__).parent / "templates",
        ],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "innotter.web.shortcuts.maintenance_of",
            ],
        },
    },
]

# A server that is gone without a word is given up: after so many seconds where it doesn't answer
# to a connection, after so many milliseconds where it doesn't take in or send what is due.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "tcp_user_timeout": 20_000,
}
# The primary answers for a replica that is gone.
PATIENCE_WITH_REPLICAS = {**PATIENCE, "connect_timeout": 2, "tcp_user_timeout": 2_000}
# A compiled read is prepared when a connection first sends it, unless a pooler would forget it;
# Django's own queries never are.
PREPARED = {"prepare_threshold": 0}


def _database(url: SecretStr, patience: dict[str, int] = PATIENCE) -> dict[str, Any]:
    """Of a URL as libpq reads it. Several hosts are tried in their order; what stands after the
    question mark comes before what we say."""
    options = conninfo_to_dict(url.get_secret_value())
    parts = {name: options.pop(name, "") for name in ("dbname", "user", "password", "host", "port")}
    return {
        "ENGINE": "innotter.common.postgresql",
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "PASSWORD": parts["password"],
        "HOST": parts["host"],
        "PORT": parts["port"],
        "CONN_MAX_AGE": 60,
        # A connection that died between two requests is replaced before the second: Django asks a
        # query of it first, where no compiled read has shown that it lives.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**patience, **PREPARED, **options},
        "TEST": {"TEMPLATE": environment.test_database_template},
    }


DATABASES = {
    "default": _database(environment.database_url),
    **{
        f"replica-{number}": _database(url, PATIENCE_WITH_REPLICAS)
        for number, url in enumerate(environment.database_replica_urls, start=1)
    },
}
DATABASE_REPLICAS = [alias for alias in DATABASES if alias != "default"]
# Of the same database, for the relay and for commands: see connect_directly().
DIRECT_DATABASE = None
if environment.database_direct_url:
    DIRECT_DATABASE = _database(environment.database_direct_url)
    # They live on from one transaction to the next.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True

AUTH_USER_MODEL = "accounts.User"
# Passwords are checked by accounts.passwords alone.
AUTHENTICATION_BACKENDS: list[str] = []
# W004 wants a unique username; ours is unique without regard to case, which the check cannot see.
# W005, W021: HSTS_SUBDOMAINS is the operator's to say.
# E408, E410: request.user comes from accounts.middleware.SessionMiddleware, for the panel too.
# W001, W002: what they ask of is done by SecurityHeadersMiddleware.
# W008: the proxy that holds the certificate redirects; an API that does hides clients' mistakes.
SILENCED_SYSTEM_CHECKS = [
    "admin.E408",
    "admin.E410",
    "auth.W004",
    "security.W001",
    "security.W002",
    "security.W005",
    "security.W008",
    "security.W021",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": name}
    for name in (
        "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "django.contrib.auth.password_validation.MinimumLengthValidator",
        "django.contrib.auth.password_validation.CommonPasswordValidator",
        "django.contrib.auth.password_validation.NumericPasswordValidator",
        "innotter.accounts.passwords.GuessedWordsValidator",
    )
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
# The words of mails and pages, of all apps; `make messages` keeps them.
LOCALE_PATHS = [Path(__file__).parents[1] / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
# Where `collectstatic` puts the files: compressed, under names that change with their contents,
# which browsers keep. Without it they come from the packages as they are.
STATIC_ROOT = environment.static_root
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["innotter.accounts.permissions.AccessToken"],
    "DEFAULT_PERMISSION_CLASSES": ["innotter.common.permissions.Nobody"],
    "DEFAULT_PARSER_CLASSES": ["innotter.common.parsers.Utf8JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["innotter.common.rendering.JsonRenderer"],
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "innotter.common.schema.Schema",
    "EXCEPTION_HANDLER": "innotter.common.problems.exception_handler",
}

SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Innotter",
    "VERSION": "1",
    "DESCRIPTION": (
        "Pages, posts, follows and the feed. Statistics have a service of their own.\n\n"
        "[The site, for people](/)"
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # Two fields are called `type`.
    "ENUM_NAME_OVERRIDES": {"CredentialTypeEnum": ["public-key"]},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "innotter.common.examples.with_answers",
    ],
}

# Logging is set up by configure_logs, the same in every process of both services.
LOGGING_CONFIG = None
configure_logs(service="core", style=environment.log_style, level=environment.log_level)
# Answers below 500 have their line already, from RequestLogMiddleware.
requests = logging.getLogger("django.request")
requests.setLevel(logging.ERROR)
# So does 503, and who answers it has said why.
requests.addFilter(lambda record: getattr(record, "status_code", None) != 503)
# A refusal stands there too, with its reason.
logging.getLogger("django.security").setLevel(logging.CRITICAL)
