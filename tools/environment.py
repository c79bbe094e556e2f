"""The environment in which checks and tests run: the caller's, without what would configure Trunkline."""

import os

OURS = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "DEBUG"}
OURS |= {"CORS_ALLOWED_ORIGINS", "LOG_LEVEL", "LOG_FORMAT", "DJANGO_SETTINGS_MODULE"}


def clean_environment(**ours: str) -> dict[str, str]:
    """The caller's environment with only the given variables of ours: a result can't depend on a shell's."""
    kept = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    return {**kept, **ours}


def _is_ours(name: str) -> bool:
    if name.startswith("TRUNKLINE_TEST_"):  # where the services are that tests may use
        return False
    return name.startswith(("TRUNKLINE_", "WEB_")) or name.removesuffix("_FILE") in OURS
