"""Django's settings, made from one typed reading of the environment."""

import json
import logging
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import dj_database_url
from dotenv import load_dotenv
from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from innotter_contracts.logs import configure_logs

# What the development stack generates begins so, and production refuses it.
DEVELOPMENT = "development"


# So many times in so many seconds; 0 times: no limit. Far above what people do, so that only
# programs meet them.
LIMITS = {
    # Each call that changes something, of one user.
    "writes": (1200, 60),
    "registrations_from_address": (1000, 3600),
    "registrations_as_name": (30, 3600),
    # Wrong passwords.
    "failures_of_account_from_address": (30, 300),
    "failures_from_address": (300, 300),
    # From everywhere; holds for IPs from which the account was not logged in to of late.
    "failures_of_account": (300, 300),
    # Requests for a link to a new password, and the mails that they bring to one mailbox.
    "resets_from_address": (300, 300),
    "resets_to_mailbox": (3, 3600),
    # Mails that ask whether a mailbox is an account's.
    "confirmations_to_mailbox": (10, 3600),
    # Tokens of links in mails that are none.
    "wrong_links_from_address": (300, 300),
    # Codes of the second factor: a million, three of which are good at once.
    "wrong_codes_of_account_from_address": (15, 3600),
    "wrong_codes_of_account": (60, 3600),
    # Logins that wait for a second factor, or for a passkey.
    "challenges_from_address": (1000, 300),
    "refreshes_from_address": (3000, 300),
    "refreshes_of_account": (300, 300),
}


def limits_of(text: Any) -> Any:
    """Of the variable LIMITS. Raises ValueError."""
    if not isinstance(text, str):
        return text
    found = {}
    for part in filter(None, text.split(",")):
        name, _, limit = part.strip().partition("=")
        times, _, seconds = limit.partition("/")
        if name not in LIMITS or not (times.isdecimal() and seconds.isdecimal()):
            raise ValueError(f"LIMITS is a list of NAME=TIMES/SECONDS; names are {list(LIMITS)}")
        found[name] = (int(times), int(seconds))
    return found


def listed(text: Any) -> Any:
    """The parts of a text that commas separate."""
    if not isinstance(text, str):
        return text
    return [part for part in map(str.strip, text.split(",")) if part]


Listed = Annotated[list[str], NoDecode, BeforeValidator(listed)]


class Environment(BaseSettings):
    """Every variable that the core reads; .env.example explains them."""

    # The input stays out of the messages: most of it is secret.
    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    innotter_env: Literal["development", "test", "production"] = "development"
    log_style: Literal["json", "console"] = "json"
    log_level: str = "INFO"
    secret_key: SecretStr
    # Former values of it: what was signed with them stays valid.
    secret_key_fallbacks: Annotated[list[SecretStr], NoDecode, BeforeValidator(listed)] = []
    signing_keys_file: Path
    database_url: SecretStr
    amqp_url: SecretStr
    core_url: str = "http://localhost:8000"
    statistics_url: str = "http://localhost:8001"
    # Where the core itself reaches the statistics service.
    statistics_internal_url: str | None = None
    # Of the site's static files, once they are collected; empty: served as they are.
    static_root: Annotated[Path | None, BeforeValidator(lambda text: text or None)] = None
    # A folder whose templates come before ours: web/about.html, web/privacy.html, web/terms.html.
    site_templates: Annotated[Path | None, BeforeValidator(lambda text: text or None)] = None
    # Proxies in front of the core that write X-Forwarded-For; no other is trusted.
    trusted_proxies: int = Field(default=0, ge=0)
    # Limits other than those below: `writes=600/60,registrations_from_address=50/3600`.
    limits: Annotated[dict[str, tuple[int, int]], NoDecode, BeforeValidator(limits_of)] = {}
    # before_account: the confirmation of its mailbox makes an account; before_mail: who has not
    # confirmed one gets no mail about pages; off: nobody has to.
    email_confirmation: Literal["before_account", "before_mail", "off"] = "before_mail"
    # Whether an account without a confirmed mailbox may post, follow, like and the like.
    unconfirmed_may_write: bool = True
    # Who may register: everybody; who has an invitation; whom moderators let in; nobody.
    registration: Literal["open", "invitation", "approval", "closed"] = "open"
    # Usernames and uuids that nobody may take, beside those of common/reserved.py.
    reserved_names: Listed = []
    # Pages that one user may own; 0: as many as they like.
    pages_per_user: int = Field(default=100, ge=0)
    # Who may do nothing for others before they have a second factor: nobody, admins, or moderators
    # and admins.
    second_factor_required: Literal["off", "admins", "moderators"] = "off"
    # Other origins whose pages may call the API; none unless named.
    cors_origins: Listed = []
    allowed_hosts: Listed = ["localhost", "127.0.0.1", "[::1]"]
    # Holds browsers to https at every name below that of CORE_URL, for a year.
    hsts_subdomains: bool = False
    # Processes that serve the API, and the requests that each works on at once.
    api_processes: int = Field(default=2, ge=1)
    api_threads: int = Field(default=4, ge=1)
    mail_from: str = "Innotter <mail@innotter.localhost>"
    sns_topic_arns: Listed = []
    aws_endpoint_url: str | None = None
    media_bucket: str = "innotter-media"
    media_url: str | None = None
    export_bucket: str = "innotter-exports"
    # Where browsers reach the S3 of that bucket, if not at AWS_ENDPOINT_URL.
    export_endpoint_url: str | None = None
    # Where this process serves what it counts; nowhere without a port.
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    # Set by the test runner: a migrated database that the tests' own are copied from.
    test_database_template: str | None = None

    @model_validator(mode="after")
    def refuse_development_secrets(self) -> Self:
        if self.innotter_env != "production":
            return self
        if self.secret_key.get_secret_value().startswith(DEVELOPMENT):
            raise ValueError("SECRET_KEY was generated for development: set one of your own")
        if any(k.get_secret_value().startswith(DEVELOPMENT) for k in self.secret_key_fallbacks):
            raise ValueError("SECRET_KEY_FALLBACKS holds a key that was generated for development")
        if len(self.secret_key.get_secret_value()) < 50:
            raise ValueError("SECRET_KEY is shorter than 50 characters")
        if not self.signing_keys_file.exists():
            # The command that makes the file runs before it is there.
            return self
        keys = json.loads(self.signing_keys_file.read_text())["keys"]
        if any(key["kid"].startswith(DEVELOPMENT) for key in keys):
            raise ValueError("SIGNING_KEYS_FILE holds a key that was generated for development")
        return self

    @model_validator(mode="after")
    def require_media_url(self) -> Self:
        """In development an endpoint of our own shows them too; AWS does not without a policy."""
        endpoint = self.aws_endpoint_url or ""
        if not self.media_url and (
            self.innotter_env == "production" or not endpoint.startswith("http")
        ):
            raise ValueError("MEDIA_URL must be the public URL of the pictures")
        return self


# Into the process and not just into Environment: boto3 reads its AWS_* variables there.
load_dotenv(".env")
environment = Environment()

INNOTTER_ENV = environment.innotter_env
SECRET_KEY = environment.secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = [key.get_secret_value() for key in environment.secret_key_fallbacks]
SIGNING_KEYS_FILE = environment.signing_keys_file
TRUSTED_PROXIES = environment.trusted_proxies
LIMITS = {**LIMITS, **environment.limits}
EMAIL_CONFIRMATION = environment.email_confirmation
UNCONFIRMED_MAY_WRITE = environment.unconfirmed_may_write
REGISTRATION = environment.registration
RESERVED_NAMES = frozenset(environment.reserved_names)
PAGES_PER_USER = environment.pages_per_user
SECOND_FACTOR_REQUIRED = environment.second_factor_required
ALLOWED_HOSTS = environment.allowed_hosts
API_PROCESSES = environment.api_processes
API_THREADS = environment.api_threads
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
    "innotter.moderation",
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
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "innotter.web.middleware.PollMiddleware",
    "innotter.accounts.middleware.SessionMiddleware",
    "innotter.accounts.middleware.AccessTokenMiddleware",
    "innotter.web.middleware.ReaderMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
            ],
        },
    },
]

DATABASE = dj_database_url.parse(
    environment.database_url.get_secret_value(),
    conn_max_age=60,
    # A connection that died between two requests is replaced before the second.
    conn_health_checks=True,
)
# A server that is gone without a word is given up: after so many seconds where it doesn't answer
# to a connection, after so many milliseconds where it doesn't take in or send what is due.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "tcp_user_timeout": 20_000,
}
DATABASES = {
    "default": {
        **DATABASE,
        # What DATABASE_URL says after its question mark comes first.
        "OPTIONS": {**PATIENCE, **DATABASE.get("OPTIONS", {})},
        "TEST": {"TEMPLATE": environment.test_database_template},
    }
}

AUTH_USER_MODEL = "accounts.User"
# Passwords are checked by accounts.passwords alone.
AUTHENTICATION_BACKENDS: list[str] = []
# W004 wants a unique username; ours is unique without regard to case, which the check cannot see.
# W005, W021: HSTS_SUBDOMAINS is the operator's to say.
# E408, E410: request.user comes from accounts.middleware.SessionMiddleware, for the panel too.
# W008: the proxy that holds the certificate redirects; an API that does hides clients' mistakes.
SILENCED_SYSTEM_CHECKS = [
    "admin.E408",
    "admin.E410",
    "auth.W004",
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
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
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
