"""Every setting, from the environment, typed; a wrong one stops the start with a sentence.

The environment comes first, then `.env`, then what `make demo` wrote about the servers it started on this machine.
`.env.example` lists all of them with their meaning and unit.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import Any

import environ

from portfolio import logs
from portfolio.money import allow_currencies

BASE_DIR = Path(__file__).resolve().parent.parent
DEVSTACK_DIR = BASE_DIR / ".devstack"

DEMO_DIR = DEVSTACK_DIR / "demo"

env = environ.Env()
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")
OWN_DATABASE_URL = os.environ.get("DATABASE_URL")
OWN_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
"""What the operator named; where nothing is named, the demo starts servers of its own and says so in two files."""
if (DEMO_DIR / "stack.env").is_file():
    from portfolio.devstack import addresses, binaries  # only where a demo has run: a server installs no devstack

    if running := addresses(DEMO_DIR):
        env.read_env(DEMO_DIR / "demo.env", **running)
        os.environ["PATH"] = f"{os.environ.get('PATH', '')}{os.pathsep}{binaries()}"  # psql, for dbshell

# --- the process --------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY_IS_EPHEMERAL = not os.environ.get("SECRET_KEY")
"""Commands run without a key of their own; `portfolio.wsgi` refuses to serve without one."""
SECRET_KEY = env.str("SECRET_KEY", default="") or secrets.token_urlsafe(50)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("HTTPS", default=False)
if HTTPS:  # a proxy in front speaks TLS and says so
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("LOG_FORMAT", default="json")
LOGGING = logs.configured(level=LOG_LEVEL, log_format=LOG_FORMAT)
METRICS_PORT = env.int("METRICS_PORT", default=0)
SHUTDOWN_TIMEOUT_S = 10.0

# --- database -----------------------------------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", default="postgres://portfolio@127.0.0.1:5432/portfolio")
DATABASES = {
    "default": {
        **environ.Env.db_url_config(DATABASE_URL),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "application_name": env.str("DATABASE_APPLICATION_NAME", default="portfolio"),
            "options": "-c TimeZone=UTC",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- broker -------------------------------------------------------------------------------------------------------

KAFKA_BOOTSTRAP_SERVERS = env.str("KAFKA_BOOTSTRAP_SERVERS", default="127.0.0.1:9092")
KAFKA_CLIENT_CONFIG: dict[str, Any] = env.json("KAFKA_CLIENT_CONFIG", default={})
KAFKA_GROUP_PREFIX = env.str("KAFKA_GROUP_PREFIX", default="")
KAFKA_GROUP_PROTOCOL = env.str("KAFKA_GROUP_PROTOCOL", default="classic")
KAFKA_GROUP_INSTANCE_ID = env.str("KAFKA_GROUP_INSTANCE_ID", default="")
KAFKA_TOPIC_PREFIX = env.str("KAFKA_TOPIC_PREFIX", default="")
TOPIC_PARTITIONS = env.int("TOPIC_PARTITIONS", default=12)
TOPIC_REPLICATION_FACTOR = env.int("TOPIC_REPLICATION_FACTOR", default=3)
TOPIC_MIN_INSYNC_REPLICAS = env.int("TOPIC_MIN_INSYNC_REPLICAS", default=2)
DERIVED_TOPIC_RETENTION_HOURS = env.int("DERIVED_TOPIC_RETENTION_HOURS", default=168)
RECORD_BYTES_MAX = env.int("RECORD_BYTES_MAX", default=1_000_000)
PUBLISH_TIMEOUT_S = env.float("PUBLISH_TIMEOUT_S", default=5.0)
RETRY_AFTER_S = env.int("RETRY_AFTER_S", default=5)

# --- workers ------------------------------------------------------------------------------------------------------

BATCH_RECORDS_MAX = env.int("BATCH_RECORDS_MAX", default=5000)
CALCULATION_BATCH_MAX = env.int("CALCULATION_BATCH_MAX", default=200)
CALCULATION_ENTRIES_MAX = env.int("CALCULATION_ENTRIES_MAX", default=100_000)
POLL_TIMEOUT_S = env.float("POLL_TIMEOUT_S", default=0.5)
RETRY_PAUSE_S = env.float("RETRY_PAUSE_S", default=0.5)
RETRY_PAUSE_MAX_S = env.float("RETRY_PAUSE_MAX_S", default=15.0)
UNDECODABLE_IN_A_ROW_MAX = env.int("UNDECODABLE_IN_A_ROW_MAX", default=100)
LOCK_TIMEOUT_S = env.float("LOCK_TIMEOUT_S", default=10.0)
SWEEP_INTERVAL_S = env.float("SWEEP_INTERVAL_S", default=5.0)
NEW_DAY_PORTFOLIOS_MAX = env.int("NEW_DAY_PORTFOLIOS_MAX", default=2000)
DISPATCH_TIMEOUT_S = env.float("DISPATCH_TIMEOUT_S", default=30.0)
VALUATIONS_QUIET_S = env.float("VALUATIONS_QUIET_S", default=2.0)
VALUATIONS_WAIT_MAX_S = env.float("VALUATIONS_WAIT_MAX_S", default=30.0)
CALCULATION_ATTEMPTS_MAX = env.int("CALCULATION_ATTEMPTS_MAX", default=5)

# --- the door -----------------------------------------------------------------------------------------------------

INGEST_BODY_BYTES_MAX = env.int("INGEST_BODY_MB_MAX", default=50) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = INGEST_BODY_BYTES_MAX
INGEST_RATE_LIMIT = env.str("INGEST_RATE_LIMIT", default="")
INGEST_RECORDS_MAX = env.int("INGEST_RECORDS_MAX", default=100_000)
TOKEN_CACHE_S = env.float("TOKEN_CACHE_S", default=5.0)
IDEMPOTENCY_LEASE_S = env.float("IDEMPOTENCY_LEASE_S", default=60.0)
IDEMPOTENCY_KEPT_HOURS = env.float("IDEMPOTENCY_KEPT_HOURS", default=24.0)
READINESS_TIMEOUT_S = env.float("READINESS_TIMEOUT_S", default=2.0)
EVALUATE_BODY_BYTES_MAX = env.int("EVALUATE_BODY_MB_MAX", default=50) * 1024 * 1024
EVALUATE_RECORDS_MAX = env.int("EVALUATE_RECORDS_MAX", default=200_000)
BOOKED_AT_ONCE_MAX = env.int("BOOKED_AT_ONCE_MAX", default=1)
VARIANTS_KEPT_TRANSACTIONS_MAX = env.int("VARIANTS_KEPT_TRANSACTIONS_MAX", default=200_000)
LONG_TERM_DAYS = env.int("LONG_TERM_DAYS", default=365)
EXTRA_CURRENCIES = env.list("EXTRA_CURRENCIES", default=["BTC", "ETH", "USDC", "USDT"])
allow_currencies(EXTRA_CURRENCIES)

# --- Django -------------------------------------------------------------------------------------------------------

ROOT_URLCONF = "portfolio.urls"
TRANSACTION_EFFECTS = "positions.explaining.effects.effects_of"
"""Who tells the ledger's pages what a transaction has caused."""
WSGI_APPLICATION = "portfolio.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "rest_framework.authtoken",
    "portfolio",
    "ingestion",
    "transactions",
    "positions",
    "orchestrator",
]
MIDDLEWARE = [
    "portfolio.requests.identified_and_measured",
    "django_structlog.middlewares.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "admin:login"
CSRF_FAILURE_VIEW = "portfolio.handlers.csrf_failure"
# The id was settled by the middleware outside. One line a request, when it is answered; addresses are the proxy's.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portfolio.authentication.RecentTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portfolio.problems.problem_response",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Portfolio Analytics System",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "Transactions in over REST; positions, gains and lots out.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "ENUM_NAME_OVERRIDES": {"TransactionStatusEnum": ["BOOKED", "CANCELLED"]},
}
