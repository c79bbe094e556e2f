"""Django's settings, made from the one validated environment. Each group is a function in a file beside this."""

import django_stubs_ext

from config.environment import ROOT, load
from config.settings import admin_site, data, keys, logs, rest, web
from config.settings.data import caches, databases

django_stubs_ext.monkeypatch()

ENVIRONMENT = load()
DATA_DIR = keys.data_dir(ENVIRONMENT)

SECRET_KEY = keys.secret_key(ENVIRONMENT, DATA_DIR)
SECRET_KEY_FALLBACKS = [key.get_secret_value() for key in ENVIRONMENT.secret_key_fallbacks]
ENCRYPTION_KEYS = keys.encryption_keys(ENVIRONMENT, DATA_DIR)
DEBUG = ENVIRONMENT.debug

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_filters",
    "django_structlog",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "apps.audit",
    "apps.accounts",
    "apps.events",
    "apps.destinations",
    "apps.deliveries",
    "apps.intake",
    "apps.ops",
]
MIDDLEWARE = web.MIDDLEWARE
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = web.templates(ROOT)
STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "staticfiles"
STORAGES = web.storages()
SERVESTATIC_USE_FINDERS = not STATIC_ROOT.exists()
SERVESTATIC_AUTOREFRESH = False
APPEND_SLASH = False

ALLOWED_HOSTS = web.allowed_hosts(ENVIRONMENT)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)
CORS_ALLOWED_ORIGINS = list(ENVIRONMENT.cors_allowed_origins)
CORS_URLS_REGEX = r"^/api/"
SECURE_CSP = web.CONTENT_SECURITY_POLICY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.production else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT.production
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000  # bytes; the contract's limit for a batch

DATABASES = {"default": databases(ENVIRONMENT, DATA_DIR)}
CACHES = {
    "default": caches(ENVIRONMENT),
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "process"},
}
SILENCED_SYSTEM_CHECKS = ["models.W037"]  # MariaDB ignores conditions of indexes: a migration makes it better ones
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = web.PASSWORD_VALIDATORS
LOGIN_URL = "admin:login"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING_CONFIG = None
logs.configure(ENVIRONMENT)
DJANGO_STRUCTLOG_COMMAND_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # ours, which config.middleware has vetted

REST_FRAMEWORK = rest.REST_FRAMEWORK
SPECTACULAR_SETTINGS = rest.SPECTACULAR_SETTINGS
UNFOLD = admin_site.UNFOLD

TRUNKLINE_ALLOWED_NETWORKS = ENVIRONMENT.trunkline_allowed_networks
EGRESS_PROXY = ENVIRONMENT.trunkline_egress_proxy
TRUNKLINE_EGRESS_PROXY = EGRESS_PROXY.get_secret_value() if EGRESS_PROXY else ""
TRUNKLINE_EGRESS_NO_PROXY = ENVIRONMENT.trunkline_egress_no_proxy
TRUNKLINE_DENIED_NETWORKS = ENVIRONMENT.trunkline_denied_networks
TRUNKLINE_DENIED_HOSTS = ENVIRONMENT.trunkline_denied_hosts
TRUNKLINE_ALLOWED_PORTS = ENVIRONMENT.trunkline_allowed_ports
TRUNKLINE_HTTPS_ONLY = ENVIRONMENT.trunkline_https_only
REDIS_URL = ENVIRONMENT.redis_url.get_secret_value() if ENVIRONMENT.redis_url else ""
WAKEUP_DIR = DATA_DIR / "wakeups"  # the engines' sockets, where neither PostgreSQL nor Redis carries wake-ups
INTAKE_PROCESSES = data.intake_processes(ENVIRONMENT, DATABASES["default"])
ENGINE_CONCURRENCY = ENVIRONMENT.trunkline_engine_concurrency
LEASE_SECONDS = ENVIRONMENT.trunkline_lease_seconds
RETENTION_DAYS = ENVIRONMENT.trunkline_retention_days
QUOTAS = data.quotas(ENVIRONMENT)
PUBLIC_URL = ENVIRONMENT.trunkline_public_url or ""
MAIL_SERVER = ENVIRONMENT.email_url
MAIL_FROM = ENVIRONMENT.trunkline_email_from or ""
MAIL_DOMAINS = ENVIRONMENT.trunkline_email_domains
METRICS_TOKEN = ENVIRONMENT.trunkline_metrics_token
