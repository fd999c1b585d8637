"""The shell of every page: Jinja with escaping that cannot be forgotten, and the policy that lets nothing load.

Must not import anything of tlswire but ``escape``.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from tlswire import __version__
from tlswire.escape import printable

_HERE = Path(__file__).parent


def render(name: str, view: Any) -> bytes:
    """The page of template ``name`` about ``view``, as UTF-8."""
    style, script = ((_HERE / file).read_text(encoding="utf-8") for file in ("style.css", "script.js"))
    text: str = (
        _environment()
        .get_template(f"{name}.html.j2")
        .render(view=view, style=style, script=script, policy=_policy(style, script), tool=__version__)
    )
    return text.encode("utf-8")


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy (CSP Level 3): our own style and script by their hashes, and nothing else."""
    return (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)};"
        " base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest())
    return f"'sha256-{digest.decode('ascii')}'"


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only pages need it
    from markupsafe import Markup  # noqa: PLC0415 - as above

    def shown(value: Any) -> Any:
        """Every value on its way into the page; HTML is escaped after this."""
        return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = "{:,}".format
    environment.filters["tabs"] = lambda line: Markup("\t").join(map(printable, line.split("\t")))
    environment.filters["own"] = Markup  # style.css and script.js; their own hashes are in the policy
    return environment
