"""What the apps' admin pages are made of. Pages are doors: they authorise, call services and render."""

from apps.kernel.admin.actions import change_url, for_selected, row_action
from apps.kernel.admin.base import (
    DataPlaneAdmin,
    MoreSections,
    ReadOnly,
    ReadOnlyInline,
    ScopedAdmin,
    ServiceTransactions,
    adopt,
    extend_page,
)
from apps.kernel.admin.display import (
    Section,
    badge,
    code_block,
    facts,
    id_link,
    moment,
    mono,
    pretty_json,
    readable,
    row_link,
)
from apps.kernel.admin.lists import SEARCH_SPAN, PeriodFilter, ProjectFilter, SinceFilter, ValueFilter
from apps.kernel.admin.scope import acting, person, project_ids, within_projects
from apps.kernel.admin.unfold import DialogForm, display

__all__ = [
    "SEARCH_SPAN",
    "DataPlaneAdmin",
    "DialogForm",
    "MoreSections",
    "PeriodFilter",
    "ProjectFilter",
    "ReadOnly",
    "ReadOnlyInline",
    "ScopedAdmin",
    "Section",
    "ServiceTransactions",
    "SinceFilter",
    "ValueFilter",
    "acting",
    "adopt",
    "badge",
    "change_url",
    "code_block",
    "display",
    "extend_page",
    "facts",
    "for_selected",
    "id_link",
    "moment",
    "mono",
    "person",
    "pretty_json",
    "project_ids",
    "readable",
    "row_action",
    "row_link",
    "within_projects",
]
