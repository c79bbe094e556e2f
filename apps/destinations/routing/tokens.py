"""A filter's text in tokens, as CEL itself reads it; and whether that is beyond doubt.

What a filter costs is read off its tokens. A piece of code that is taken for a text would cost nothing. So only plain
texts are beyond doubt: in one pair of quotes, without a prefix, with the usual escapes. All else is in doubt, and what
is in doubt has no bound.
"""

import re
from collections.abc import Iterable

type Token = tuple[str | None, str]  # its kind, and itself

_TOKEN = re.compile(
    r"""(?P<string>(?<![A-Za-z0-9_])(?!\"\"\"|''')
          (?:"(?:[^"\\\r\n]|\\[\\"'nrt])*"|'(?:[^'\\\r\n]|\\[\\"'nrt])*'))
      | (?P<odd>[bB]?[rR](?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\r\n]*"|'[^'\r\n]*')
          | [bB]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'))
      | (?P<comment>//[^\n]*)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>(?:0x[0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)[uU]?(?![A-Za-z0-9_.]))
      | (?P<operator>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])
      | (?P<space>[ \t\r\n\f]+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_DOUBTFUL = {"odd", "comment", "other"}


def tokens_of(source: str) -> tuple[list[Token], bool]:
    """Those that are no space and no comment, and whether they are surely CEL's own."""
    found = [(one.lastgroup, one[0]) for one in _TOKEN.finditer(source)]
    is_sure = '"""' not in source and "'''" not in source and all(kind not in _DOUBTFUL for kind, _ in found)
    return [token for token in found if token[0] not in {"space", "comment"}], is_sure


def most_calls(source: str, names: Iterable[str]) -> int:
    """How many calls of these there may be at most, wherever a text or a comment may begin and end."""
    called = rf"(?<![A-Za-z0-9_])(?:{'|'.join(names)})(?=\s*(?://[^\n]*\n\s*)*\()"
    return len(re.findall(called, source))
