"""From a project's wrangler.jsonc to what workerd runs: one description of a worker for Cloudflare and this machine.

What workerd cannot do by itself (KV, D1, R2, queues and so on) is refused by name rather than left out.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from deployment.errors import DeploymentError

_SCRIPTS = (".js", ".mjs")
_TEXTS = (".txt", ".html", ".sql")
_KNOWN = {
    "name", "main", "compatibility_date", "compatibility_flags", "durable_objects", "migrations", "vars", "services",
    "no_bundle", "build", "dev", "observability", "workers_dev", "account_id", "routes", "route", "env", "$schema",
    "preview_urls", "rules", "find_additional_modules", "base_dir", "minify", "keep_vars", "logpush", "placement",
    "limits", "send_metrics", "upload_source_maps", "preserve_file_names", "triggers",
}  # fmt: skip
_MOST_MODULES = 1000
_PRIVATE = """\
export default { async fetch(request, env) {
  const url = new URL(request.url);
  const [, how, name, id, ...rest] = url.pathname.split("/");
  try {
    if (how === "worker") {
      return await env.worker.fetch(new Request("http://worker" + url.pathname.slice(7) + url.search, request));
    }
    const space = env["class " + name];
    if (!space) return new Response("there is no class " + name, { status: 404 });
    const object = space.get(how === "id" ? space.idFromString(id) : space.idFromName(decodeURIComponent(id)));
    return await object.fetch(new Request("http://object/" + rest.join("/") + url.search, request));
  } catch (problem) {
    return new Response(String(problem?.stack ?? problem), { status: 500, headers: { "X-Gateway-Thrown": "1" } });
  }
} };
"""


def read_wrangler(files: Path, name: str, environment: str = "") -> dict[str, Any]:
    """What a project's file for wrangler says, for one of its environments. Raises `DeploymentError`."""
    file = files / name
    try:
        text = file.read_text(encoding="utf-8")
        found = tomllib.loads(text) if file.suffix == ".toml" else json.loads(_plain(text))
    except FileNotFoundError:
        raise DeploymentError(f"the commit has no {name}, which describes the worker; see `config`") from None
    except (ValueError, UnicodeDecodeError) as problem:
        raise DeploymentError(f"{name} cannot be read: {problem}") from problem
    if not isinstance(found, dict):
        raise DeploymentError(f"{name} is no table of settings")
    if environment:
        own = (found.get("env") or {}).get(environment)
        if not isinstance(own, dict):
            raise DeploymentError(f"{name} has no env.{environment}")
        found = {key: value for key, value in found.items() if key != "env"} | own
    return found


def unique_keys(wrangler: Mapping[str, Any]) -> dict[str, str]:
    """Class -> the folder of its objects' state, which is kept when a class is renamed. Raises `DeploymentError`."""
    keys: dict[str, str] = {}
    taken: dict[str, int] = {}
    for each in wrangler.get("migrations") or []:
        for name in [*(each.get("new_sqlite_classes") or []), *(each.get("new_classes") or [])]:
            taken[name] = taken.get(name, 0) + 1
            keys[name] = name if taken[name] == 1 else f"{name}-{taken[name]}"
        for pair in each.get("renamed_classes") or []:
            if pair.get("from") not in keys:
                raise DeploymentError(f"migration {each.get('tag')}: there is no class {pair.get('from')!r} to rename")
            keys[pair["to"]] = keys.pop(pair["from"])
        for name in each.get("deleted_classes") or []:
            keys.pop(name, None)
        if each.get("transferred_classes"):
            raise DeploymentError(f"migration {each.get('tag')}: transferred_classes are for Cloudflare alone")
    bound = {each.get("class_name") for each in _objects(wrangler)}
    if odd := sorted(str(each) for each in bound - set(keys)):
        raise DeploymentError(f"no migration makes the class {', '.join(odd)}; add it to new_sqlite_classes")
    if not keys:
        raise DeploymentError("no migration makes a class of durable objects (migrations: new_sqlite_classes)")
    return keys


def write_config(
    release: Path,
    wrangler: Mapping[str, Any],
    *,
    commit: str,
    service: str,
    routes: Path,
    secrets: Collection[str] = (),
) -> None:
    """Write `serve.capnp` and `try.capnp` of a release, whose files are in `files`. Raises `DeploymentError`."""
    _supported(wrangler)
    keys = unique_keys(wrangler)
    bindings = [_binding("COMMIT", text=commit), '(name = "GATEWAY", service = "gateway")']
    bindings += [
        f"(name = {_text(each['name'])}, durableObjectNamespace = {_text(each['class_name'])})"
        for each in _objects(wrangler)
    ]
    for name, value in (wrangler.get("vars") or {}).items():
        if name != "COMMIT" and name not in secrets:
            bindings.append(_binding(name, text=value) if isinstance(value, str) else _binding(name, json=value))
    bindings += [f"(name = {_text(name)}, fromEnvironment = {_text(name)})" for name in secrets]
    spaces = [f"(className = {_text(name)}, uniqueKey = {_text(key)}, enableSql = true)" for name, key in keys.items()]
    flags = [_text(each) for each in wrangler.get("compatibility_flags") or []]
    date = wrangler.get("compatibility_date") or ""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(date)):
        raise DeploymentError("wrangler's file needs a compatibility_date such as 2026-11-01")
    private = [
        f'(name = {_text(f"class {name}")}, durableObjectNamespace = (className = {_text(name)}, serviceName = "main"))'
        for name in keys
    ]
    (release / "private.js").write_text(_PRIVATE, encoding="utf-8")
    for file, sockets in (
        ("serve.capnp", ['(name = "http", service = "main", http = ())', _PRIVATE_SOCKET]),
        ("try.capnp", [_PRIVATE_SOCKET]),
    ):
        (release / file).write_text(
            f"""using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [{_lines(_modules(release, str(wrangler.get("main") or "")))}],
      compatibilityDate = {_text(str(date))},
      compatibilityFlags = [{", ".join(flags)}],
      bindings = [{_lines(bindings)}],
      durableObjectNamespaces = [{_lines(spaces)}],
      durableObjectStorage = (localDisk = "do-disk"),
    )),
    (name = "private", worker = (
      modules = [(name = "private.js", esModule = embed "private.js")],
      compatibilityDate = "2026-01-01",
      bindings = [(name = "worker", service = "main"), {_lines(private)}],
    )),
    (name = "gateway", external = (address = {_text(f"unix:{routes}")}, http = (
      injectRequestHeaders = [(name = "X-Gateway-From", value = {_text(service)})],
    ))),
    (name = "do-disk", disk = (writable = true)),
  ],
  sockets = [{_lines(sockets)}],
);
""",
            encoding="utf-8",
        )


_PRIVATE_SOCKET = '(name = "private", service = "private", http = ())'


def _modules(release: Path, main: str) -> list[str]:
    """The modules: `main` first, and what lies beside and below it. Nothing outside the release is taken in."""
    files = (release / "files").resolve()
    entry = (files / main).resolve()
    if not main or not entry.is_relative_to(files) or not entry.is_file():
        raise DeploymentError(f"`main` of wrangler's file is {main!r}, which is no file of the commit or its build")
    if entry.suffix not in _SCRIPTS:
        raise DeploymentError(
            f"{main} is not JavaScript; have `build` make it, and let wrangler's file name the result"
        )
    found = [entry]
    for file in sorted(entry.parent.rglob("*")):
        inside = file.resolve()
        if inside == entry or "node_modules" in file.relative_to(entry.parent).parts or not inside.is_file():
            continue
        if not inside.is_relative_to(files):
            raise DeploymentError(f"{file.name} leads out of the release: the repository has a link there")
        if file.suffix in (*_SCRIPTS, *_TEXTS, ".wasm"):
            found.append(file)
    if len(found) > _MOST_MODULES:
        raise DeploymentError(f"{len(found)} modules lie beside {main}; bundle them with `build`")
    kinds = {".wasm": "wasm"} | dict.fromkeys(_TEXTS, "text") | dict.fromkeys(_SCRIPTS, "esModule")
    return [
        f"(name = {_text(file.relative_to(entry.parent).as_posix())}, {kinds[file.suffix]} = embed "
        f"{_text(file.relative_to(release.resolve()).as_posix())})"
        for file in found
    ]


def _supported(wrangler: Mapping[str, Any]) -> None:
    odd = sorted(key for key, value in wrangler.items() if key not in _KNOWN and value)
    odd += ["services"] if wrangler.get("services") else []
    if odd:
        told = "workerd alone has none of that. Deploy it to Cloudflare, or take it out"
        raise DeploymentError(f"wrangler's file has {', '.join(odd)}: {told} (services call each other by env.GATEWAY)")


def _objects(wrangler: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [*((wrangler.get("durable_objects") or {}).get("bindings") or [])]
    if any(each.get("script_name") for each in found):
        raise DeploymentError("objects of another script are called by env.GATEWAY, not by script_name")
    return found


def _binding(name: str, *, text: str | None = None, json: object = None) -> str:
    value = f"text = {_text(text)}" if text is not None else f"json = {_text(_dumped(json))}"
    return f"(name = {_text(name)}, {value})"


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=True)


def _text(text: str) -> str:
    """A text as Cap'n Proto reads it."""
    parts = []
    for each in text.encode():
        letter = chr(each)
        plain = 32 <= each < 127 and letter not in '"\\'
        parts.append(letter if plain else f"\\x{each:02x}")
    return '"' + "".join(parts) + '"'


def _lines(parts: list[str]) -> str:
    return ",\n        ".join(parts)


_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)


def _plain(text: str) -> str:
    """JSON with comments and commas at ends as plain JSON."""
    return _TOKEN.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
