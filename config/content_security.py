"""What a browser may run on the pages that are not ours: the admin's theme and the API's documents.

Everything comes from this origin. The theme (Alpine and htmx) evaluates the expressions in its templates, and all of
them set styles in their markup; no page gets inline scripts.
"""

from collections.abc import Iterable

from django.conf import settings
from django.urls import URLPattern, URLResolver
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override

# `this.submit()`, on the form of a list's filters
SUBMIT_ON_INPUT = "'sha256-ef14l//dtiQD0cXeBAxNzbiuyrvqLIKWTYpqIl2LdMY='"
INLINE_STYLES = {"style-src": [CSP.SELF, CSP.UNSAFE_INLINE]}

ADMIN = {
    **settings.SECURE_CSP,
    **INLINE_STYLES,
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL, "'unsafe-hashes'", SUBMIT_ON_INPUT],
    "form-action": [CSP.SELF],
}
DOCUMENTS = {**settings.SECURE_CSP, **INLINE_STYLES, "worker-src": [CSP.SELF, "blob:"]}  # Redoc searches in a worker


def under_policy(policy: dict[str, list[str]], patterns: Iterable[URLPattern | URLResolver]) -> None:
    """Put every view below these patterns under the policy, in place of the strict one."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            under_policy(policy, pattern.url_patterns)
        else:
            pattern.callback = csp_override(policy)(pattern.callback)
