"""Where packages come from on this machine, passed to the set-up sandbox without any secret.

The owner's pip settings (files and PIP_* variables), npm's, proxies and certificates are read. What holds no
credentials is passed on to pip, to uv, which reads no pip.conf, and to npm. Local package folders and certificates are
mounted read-only. The hosts of all these settings are what a set-up may reach.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from testing.sandbox.confinement import Mount
from testing.sandbox.gateway import Origin

# pip's setting -> the variables that say it to pip and to uv, and what separates its values for uv.
_SETTINGS = {
    "index-url": ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("PIP_EXTRA_INDEX_URL", "UV_INDEX", " "),
    "find-links": ("PIP_FIND_LINKS", "UV_FIND_LINKS", ","),
    "trusted-host": ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST", " "),
    "cert": ("PIP_CERT", "SSL_CERT_FILE", " "),
    "timeout": ("PIP_TIMEOUT", "UV_HTTP_TIMEOUT", " "),
    "proxy": ("PIP_PROXY", "HTTPS_PROXY", " "),
}
_ALIASES = {"default-timeout": "timeout", "pypi-url": "index-url"}
_PLAIN_VARIABLES = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INSECURE_HOST",
    "UV_INDEX_STRATEGY", "UV_HTTP_TIMEOUT",
)  # fmt: skip
_CREDENTIALS = re.compile(r"://[^/\s,]*@|\$\{", re.IGNORECASE)
_PASSED_TO_NPM = re.compile(
    r"registry|@[\w.-]+:registry|proxy|https-proxy|noproxy|cafile|strict-ssl|fetch-timeout|fetch-retries"
)
_PYTHON_INDEXES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
_MORE_INDEXES = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_PYPI = ("pypi.org", "files.pythonhosted.org")
_NPM = ("registry.npmjs.org", "registry.yarnpkg.com")
_OTHER_LANGUAGES = ("proxy.golang.org", "sum.golang.org", "index.crates.io", "static.crates.io", "crates.io")
# Already in the sandbox.
_VISIBLE = ("/usr", "/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted")


@dataclass
class IndexSettings:
    """Variables and mounts for the set-up sandbox; `withheld` names the settings left out for their credentials."""

    env: dict[str, str] = field(default_factory=dict)
    uv_arguments: list[str] = field(default_factory=list)
    """What uv takes only on its command line."""
    mounts: list[Mount] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    proxy: dict[str, str] = field(default_factory=dict)
    """pip's own proxy, credentials included: for the way out of the sandbox, never for what runs in it."""


def index_settings(environ: Mapping[str, str], files: list[Path] | None = None) -> IndexSettings:
    """The settings of a process with `environ`. `files`: pip's configuration files, a later one overrides."""
    found = IndexSettings()
    values = _pip_settings(environ, _pip_files(environ) if files is None else files)
    for name, (pip_variable, uv_variable, separator) in _SETTINGS.items():
        parts = _usable(name, values.get(name, "").split(), found)
        if parts:
            found.env[pip_variable] = " ".join(parts)
            found.env[uv_variable] = separator.join(parts)
    if proxy := values.get("proxy"):
        found.proxy = {"http_proxy": proxy, "https_proxy": proxy}
    if values.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        found.env["PIP_NO_INDEX"] = "1"
        found.uv_arguments.append("--no-index")
    if "UV_INDEX" in found.env or "UV_FIND_LINKS" in found.env:
        found.env["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip takes the best version of any index
    for name in _PLAIN_VARIABLES:
        value = environ.get(name, "")
        if value and name not in found.env and _usable(name, [value], found):
            found.env[name] = value
    return found


@dataclass
class NpmSettings:
    """Variables and mounts for the set-up sandbox."""

    env: dict[str, str] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)


def npm_settings(environ: Mapping[str, str]) -> NpmSettings:
    """The settings of a process with `environ`: the machine's and the owner's npmrc, then npm_config_*.

    Tokens and passwords are settings of their own and are left out, as is an address that holds some.
    """
    home = Path(environ.get("HOME", "/nonexistent"))
    files = [Path("/etc/npmrc"), Path(environ.get("npm_config_userconfig") or home / ".npmrc")]
    values = {name: value for file in files for name, value in _npmrc(file)}
    for name, value in environ.items():
        if name.lower().startswith("npm_config_"):
            values[name[len("npm_config_") :].lower().replace("_", "-")] = value
    found = NpmSettings()
    for name, value in values.items():
        if _PASSED_TO_NPM.fullmatch(name) and value and not _CREDENTIALS.search(value):
            found.env[f"npm_config_{name}"] = value
    certificates = Path(found.env.get("npm_config_cafile", "/usr"))
    if not any(certificates.is_relative_to(folder) for folder in _VISIBLE) and certificates.is_file():
        found.mounts.append(Mount(certificates, os.fspath(certificates)))
    return found


def package_hosts(environ: Mapping[str, str], named: Iterable[str] = ()) -> list[Origin]:
    """What a set-up may reach on the machine of a process with `environ`: the package indexes that its settings name,
    or those that tools use by themselves, and the hosts `named` by the owner."""
    python, npm = index_settings(environ), npm_settings(environ).env
    addresses = _addresses(python.env, (*_PYTHON_INDEXES, *_MORE_INDEXES))
    registries = [value for name, value in npm.items() if name.endswith("registry")]
    usual: list[str] = [*_OTHER_LANGUAGES]
    if "PIP_NO_INDEX" not in python.env and not _addresses(python.env, _PYTHON_INDEXES):
        usual += _PYPI
    if "npm_config_registry" not in npm:
        usual += _NPM
    by_owner = [Origin.of(text) for text in (*addresses, *registries, *named)]
    if any(origin.host in _PYPI for origin in by_owner):
        usual += _PYPI
    return [*by_owner, *(Origin(host) for host in dict.fromkeys(usual))]


def _addresses(env: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """The URLs in some variables, which hold several and may name them, as in `NAME=URL`."""
    parts = [part for name in names for part in re.split(r"[\s,]+", env.get(name, ""))]
    urls = [re.sub(r"^[\w-]+=", "", part) for part in parts]
    return [url for url in dict.fromkeys(urls) if url.startswith(("http://", "https://"))]


def _npmrc(file: Path) -> list[tuple[str, str]]:
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return []
    lines = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith(("#", ";")))
    return [(name.strip(), value.strip().strip("\"'")) for name, equals, value in lines if equals]


def _usable(name: str, parts: list[str], found: IndexSettings) -> list[str]:
    """The parts that may be passed, with mounts added for those that are local files."""
    kept = []
    for part in parts:
        path = _local(part)
        if _CREDENTIALS.search(part):
            found.withheld.append(name)
        elif path is None:
            kept.append(part)
        elif path.exists():
            kept.append(part)
            for needed in (path, *_linked_folders(path)):
                seen = [*map(Path, _VISIBLE), *(mount.source for mount in found.mounts)]
                if not any(needed.is_relative_to(folder) for folder in seen):
                    found.mounts.append(Mount(needed, os.fspath(needed)))
    return kept


def _local(part: str) -> Path | None:
    if part.startswith("/"):
        return Path(part)
    if part.startswith("file:"):
        return Path(unquote(urlsplit(part).path))
    return None


def _linked_folders(index: Path) -> set[Path]:
    """Folders beside a local index that its pages link to; the first page shows the layout of all."""
    page = next(index.glob("*/index.html"), None) if index.is_dir() else None
    if page is None:
        return set()
    links = re.findall(r"""href=["']([^"'#]+)""", page.read_text(errors="replace"))
    files = {Path(os.path.normpath(page.parent / unquote(link))) for link in links if "://" not in link}
    return {file.parent for file in files if file.is_file() and file.is_relative_to(index.parent)}


def _pip_settings(environ: Mapping[str, str], files: list[Path]) -> dict[str, str]:
    values: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip would stop at it; here the defaults are better than nothing
        for section in ("global", "install"):
            if parser.has_section(section):
                values |= {_name(key): value for key, value in parser.items(section)}
    values |= {_name(key[4:]): value for key, value in environ.items() if key.startswith("PIP_") and value}
    return values


def _name(key: str) -> str:
    plain = key.lower().replace("_", "-").removeprefix("--")
    return _ALIASES.get(plain, plain)


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """As pip looks for them: machine, user, virtual environment, then PIP_CONFIG_FILE."""
    home = Path(environ.get("HOME", "/nonexistent"))
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", user / "pip/pip.conf"]
    files.append(Path(sys.prefix) / "pip.conf")
    if "PIP_CONFIG_FILE" in environ:
        files.append(Path(environ["PIP_CONFIG_FILE"]))
    return [file for file in files if file.is_file()]
