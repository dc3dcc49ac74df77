"""The description of the API that people read: one page, which loads nothing from elsewhere."""

from __future__ import annotations

import json
import shlex
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #4f46e5 }
@media (prefers-color-scheme: dark) { :root { --accent: #a5b4fc } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem }
code, pre { font: 13px/1.5 ui-monospace, monospace }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: .8rem;
  max-height: 11rem; overflow: auto; white-space: pre-wrap; word-break: break-all }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top }
.method { color: var(--accent); font-weight: 700; margin-right: .5rem }
"""
LONGEST = 4000  # characters of an example that is shown


def render(api: dict[str, Any]) -> str:
    """The page.

    Args:
        api: what :func:`~polymodal.serving.openapi.describe_api` gives.
    """
    address = api["servers"][0]["url"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>API</title><style>{STYLE}</style>",
        f"<h1>API at {escape(address)}</h1><p>{escape(api['info']['description'])} Errors are ",
        "problem details (RFC 9457): <code>errors</code> names the field, what came, what was ",
        "expected and what to do. For programs: <a href='openapi.json'>openapi.json</a>.</p>",
    ]
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            parts.append(
                f"<h2><span class=method>{method.upper()}</span><code>{escape(path)}</code></h2>"
                f"<p>{escape(operation['summary'])}</p>"
            )
            parts.append(_request(api, operation))
            parts.append(f"<pre>{escape(curl(address + path, method, operation))}</pre>")
    return "".join(parts)


def curl(address: str, method: str, operation: dict[str, Any]) -> str:
    """A command that asks, with the example that the description has.

    >>> curl("http://localhost/healthz", "get", {})
    'curl http://localhost/healthz'
    """
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return f"curl {shlex.quote(address)}"
    kind = next(iter(content))
    example = content[kind].get("example")
    if example is None:
        sent = "--data-binary @rows.ndjson"
    else:
        written = json.dumps(example, ensure_ascii=False)
        sent = f"-d {shlex.quote(written)}" if len(written) <= LONGEST else "-d @row.json"
    return f"curl {shlex.quote(address)} -H 'Content-Type: {kind}' {sent}"


def _request(api: dict[str, Any], operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    if not reference:
        return ""
    name = reference.rsplit("/", 1)[1]
    fields = api["components"]["schemas"][f"{name}_inputs"]["properties"]
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code><td>{escape(about.get('description', ''))}"
        for field, about in fields.items()
    )
    return f"<table><tr><th>inputs<th>what it is{rows}</table>"
