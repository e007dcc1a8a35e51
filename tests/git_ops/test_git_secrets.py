"""What a change adds is looked over before it is recorded: kinds that are found, and ordinary code that is none."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import uuid
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ops import GitManager, SecretFound, UnsafeContent, secrets_in
from monitoring import mask_known, redact, register_secret
from tests.git_ops.conftest import Owner, git, stage, work

_RANDOM = random.Random(5)


def letters(count: int, alphabet: str = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789") -> str:
    return "".join(_RANDOM.choice(alphabet) for _ in range(count))


def jwt() -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "17", "name": "A"})]
    return ".".join([*(b64encode(part).decode().rstrip("=") for part in parts), letters(43)])


UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PLANTED = {
    "AWS Access Key": f'ID = "AKIA{letters(12, UPPER)}7QZ2"',
    "Private Key": "-----BEGIN RSA PRIVATE KEY-----",
    "GitHub Token": f"token: ghp_{letters(36)}",
    "GitLab Token": f"token: glpat-{letters(20)}",
    "Slack Token": f"slack = 'xoxb-{letters(12, '123456789')}-{letters(24)}'",
    "Stripe Access Key": f"stripe.api_key = 'sk_live_{letters(24)}'",
    "JSON Web Token": f"Authorization: Bearer {jwt()}",
    "Basic Auth Credentials": f"URL = 'postgres://app:{letters(16)}7@db.internal/app'",
    "a key or password in plain text": f'SESSION_SECRET = "{letters(40)}42"',
    "NPM tokens": f"//registry.npmjs.org/:_authToken=npm_{letters(36)}",
}
ORDINARY = [
    f'sha256 = "{_RANDOM.randbytes(32).hex()}"',
    f'"integrity": "sha512-{b64encode(_RANDOM.randbytes(64)).decode()}",',
    f"hash = sha256:{_RANDOM.randbytes(32).hex()}",
    f'USER = UUID("{uuid.UUID(int=_RANDOM.getrandbits(128))}")',
    f'token = "{uuid.UUID(int=_RANDOM.getrandbits(128))}"',
    f'DATA = "{b64encode(_RANDOM.randbytes(90)).decode()}"',
    "password = get_password(user)",
    "api_key = settings.llm.api_key",
    'assert login("bob", password="correct horse battery staple")',
    'password = "hunter2"',
    'assert parse("https://user:password@example.com/") == ("user", "password")',
    'URL = f"https://{user}:{password}@{host}/"',
    "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
    'token = tokens[position + 1]',
    "SECRET_KEY = os.environ['SECRET_KEY']",
    'secret_name: str = "projects/one/secrets/database-password/versions/latest"',
    "0123456789abcdef0123456789abcdef01234567",
    'PATTERN = re.compile(r"(ghp|gho)_[A-Za-z0-9_]{36}")',
    '"resolved": "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz",',
    "version = '2026.11.21.1830'",
    "IP = '203.0.113.7'",
]  # fmt: skip


@pytest.mark.parametrize("kind", PLANTED)
def test_a_secret_is_found_by_its_kind_and_never_told(kind: str) -> None:
    found = secrets_in(f"import os\n{PLANTED[kind]}\n")
    assert [(each.line, each.kind) for each in found] == [(2, kind)]


HEX = "0123456789abcdef"
KEYS = {
    "Anthropic": f"sk-ant-api03-{letters(90)}-{letters(6)}AA",
    "OpenAI": f"sk-proj-{letters(40)}",
    "OpenRouter": f"sk-or-v1-{letters(64, HEX)}",
    "Google": f"AIza{letters(35)}",
    "Google OAuth": f"GOCSPX-{letters(28)}",
    "Hugging Face": f"hf_{letters(34)}",
    "Groq": f"gsk_{letters(52)}",
    "xAI": f"xai-{letters(80)}",
    "Replicate": f"r8_{letters(37)}",
    "GitHub": f"ghp_{letters(36)}",
    "GitHub, fine-grained": f"github_pat_{letters(22)}_{letters(59)}",
    "GitLab runner": f"glrt-{letters(20)}",
    "Atlassian": f"ATATT3xFfGF0{letters(180)}",
    "AWS": f"ASIA{letters(16, UPPER)}",
    "Azure storage": f"AccountKey={letters(86)}==",
    "Azure AD": f"{letters(3)}8Q~{letters(34)}",
    "DigitalOcean": f"dop_v1_{letters(64, HEX)}",
    "Stripe": f"rk_live_{letters(24)}",
    "Shopify": f"shpat_{letters(32, HEX)}",
    "Slack": f"xoxb-{letters(12, '123456789')}-{letters(24)}",
    "npm": f"npm_{letters(36)}",
    "Docker Hub": f"dckr_pat_{letters(27)}",
    "Vault": f"hvs.{letters(90)}",
    "SendGrid": f"SG.{letters(22)}.{letters(43)}",
    "Databricks": f"dapi{letters(32, HEX)}",
    "Tailscale": f"tskey-auth-{letters(12)}-{letters(32)}",
    "Grafana": f"glsa_{letters(32)}_{letters(8, HEX)}",
    "our control room": f"aak_{letters(43)}",
    "RSA without its head": f"MIIEpAIBAAKCAQEA{letters(64)}",
    "PKCS 8 without its head": f"MIIEvQIBADANBgkqhkiG9w0BAQEF{letters(60)}",
    "OpenSSH without its head": f"b3BlbnNzaC1rZXktdjEAAAAABG5vbmU{letters(60)}",
    "Ed25519 without its head": f"MC4CAQAwBQYDK2VwBCIEI{letters(43)}",
}
FORMS = ["{}", "KEY={}", 'x = "{}"', "  token: {}", '{"a": "{}"}', "https://x.io/?key={}&b=1", f"'{'y' * 30_000}' {{}}"]


@pytest.mark.parametrize("owner", KEYS)
def test_keys_of_todays_providers_are_found_and_masked_in_every_form(owner: str) -> None:
    for form in FORMS:
        line = form.replace("{}", KEYS[owner])
        assert secrets_in(line), form[:40]
        assert KEYS[owner] not in redact(line), form[:40]


KEY_FILES = {
    "PuTTY": "PuTTY-User-Key-File-3: ssh-ed25519\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 1\n{}\nPrivate-MAC: 1\n",
    "WireGuard": "[Interface]\nPrivateKey = {}=\nAddress = 10.0.0.2/32\n",
    "JSON web key": '{"kty": "OKP", "crv": "Ed25519", "x": "abc", "d": "{}"}\n',
    "JSON web key, sorted": '{"crv": "Ed25519", "d": "{}", "kty": "OKP"}\n',
}


@pytest.mark.parametrize("kind", KEY_FILES)
def test_private_keys_of_formats_without_a_first_line(kind: str) -> None:
    secret = f"{letters(42)}A"
    text = KEY_FILES[kind].replace("{}", secret)
    assert [found.kind for found in secrets_in(text)] == ["a private key"]
    assert secrets_in(text, text) == []
    assert secret not in redact(text) and redact(text).count("\n") >= text.count("\n") - 1


@pytest.mark.parametrize(
    "form",
    [
        'KEY = "\\N{LATIN SMALL LETTER G}{rest}"',
        'KEY = "{first}\\\n{last}"',
        'plain: "{first}\\\n    {last}"',
        "KEY = f\"{'g'}{'h'}{after}\"",
        "const key = `${'gh'}{after}`",
        'KEY = f"{"g" }{rest}"',
        "    client-key-data: {pem}\n",
    ],
)
def test_keys_that_the_language_puts_together(form: str) -> None:
    key = KEYS["GitHub"]
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{letters(64)}\n{letters(64)}\n-----END RSA PRIVATE KEY-----\n"
    parts = {"rest": key[1:], "first": key[:9], "last": key[9:], "after": key[2:]}
    parts["pem"] = base64.b64encode(pem.encode()).decode()
    for name, part in parts.items():
        form = form.replace(f"{{{name}}}", part)
    assert any("written otherwise" in found.kind for found in secrets_in(form)), form
    harmless = form.replace(key[9:], "harmless words").replace(
        parts["pem"], base64.b64encode(b"plain text\n" * 9).decode()
    )
    assert secrets_in(harmless.replace(key[1:], "harmless").replace(key[2:], "harmless")) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"password: {letters(14)}12Rw9", True),
        (f"secret_key = {letters(24)}389  # live", True),
        (f"db.password={letters(20)}123", True),
        ("password = plain-words-joined-by-hyphens", False),
        ("token: ${TOKEN_2024_01_17}", False),
        ("SECRET_KEY = settings.SECRET_KEY_2024_01", False),
        ("token = parse_token_123_of_request_456", False),
        ("password: {{ vault_password_123 }}", False),
    ],
)
def test_values_without_quotes_as_in_settings_files(line: str, found: bool) -> None:
    assert bool(secrets_in(line)) is found


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_code_holds_no_secret(line: str) -> None:
    assert secrets_in(line) == []


@pytest.mark.long
def test_this_repository_holds_none() -> None:
    """Megabytes of ordinary code and lock files: a measure of false alarms."""
    root = Path(__file__).parents[2]
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    # tests of redaction and of this scan hold what looks like secrets, on purpose
    files = [
        path for path in listed if not path.startswith("tests/") and path != "requirements-dev.lock"
    ]  # the same twice
    files = [path for path in files if path.endswith((".py", ".md", ".lock", ".yaml", ".json", ".toml"))]
    found = {}
    for path in files:
        if hits := secrets_in((root / path).read_text(encoding="utf-8")):
            found[path] = hits
    assert found == {}


def test_what_the_owner_has_may_stay_and_move() -> None:
    line = PLANTED["GitHub Token"]
    assert secrets_in(f"# moved\nx = 1\n{line}\n", f"{line}\n") == []
    assert secrets_in(f"    {line}  # indented\n", f"{line}\n") == []
    assert [found.line for found in secrets_in(f"{line}\n{PLANTED['GitLab Token']}\n", f"{line}\n")] == [2]


def test_a_mark_that_comes_with_the_change_allows_nothing() -> None:
    assert secrets_in(f"{PLANTED['GitHub Token']}  # pragma: allowlist secret\n")


def test_the_mask_is_not_written_in_place_of_what_was_masked() -> None:
    owners = f"a = 1\n{PLANTED['a key or password in plain text']}\n"
    (found,) = secrets_in('a = 2\nSESSION_SECRET = "[redacted]"\n', owners)
    assert (found.line, "not shown" in found.kind) == (2, True)
    assert secrets_in('MASK = "[redacted]"\n', "a = 1\n") == []


def test_a_long_line_takes_bounded_time() -> None:
    """A pattern that backtracks would not end within the test's time limit (figures: `bench/untrusted_text.py`)."""
    for text in (
        "a" * 1_000_000,
        "eyJ" * 300_000,
        "://x:" * 200_000,
        "secret=" * 100_000,
        "\x1b[mx" * 50_000,
        "AC" * 500_000,
    ):
        assert secrets_in(text) == []


KEY = PLANTED["GitHub Token"]


@pytest.mark.parametrize("place", ["src/app.py", "notes.md", "tests/test_keys.py"])
def test_a_change_with_a_secret_is_not_recorded(manager: GitManager, place: str, tmp_path: Path) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / place).write_text(f"one = 1\n{KEY}\n")
    for record in (lambda: manager.trees.write(worktree), lambda: stage(manager, worktree, "code")):
        with pytest.raises(SecretFound, match="line 2: GitHub Token") as caught:
            record()
        assert KEY.split()[-1] not in str(caught.value)
        assert (caught.value.kind, caught.value.path) == ("secret", place)
    assert git(tmp_path / "work/repo", "log", "--format=%s", "agents/task/t1") == "first"


def test_a_tree_that_was_made_otherwise_is_looked_over_as_it_is_committed(
    manager: GitManager, open_manager: Callable[..., GitManager], owner: Owner
) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "keys.env").write_text(f"{KEY}\n")
    careless = GitManager(
        str(owner.bare), worktree.path.parents[1] / "repo", workspace_path=worktree.path.parents[1],
        may_hold_secrets=["*.env"],
    )  # fmt: skip
    tree = careless.trees.write(worktree)
    with pytest.raises(SecretFound):
        manager.commits.commit(worktree, "code", {"Stage": "code"}, tree=tree)
    assert careless.commits.commit(worktree, "code", {"Stage": "code"}, tree=tree).tree == tree


def test_a_secret_of_this_machine_is_found_whatever_it_looks_like(manager: GitManager) -> None:
    register_secret("mydogsname")
    assert mask_known("a mydogs\x1b[mname b") == "a [redacted] b"
    for path, text in {
        "src/app.py": "# mydogsname",
        "src/colour.py": "# mydogs\u200bname",
        "mydogsname.py": "x = 1\n",
    }.items():
        worktree = manager.worktrees.create(f"t{len(path)}")
        (worktree.path / path).write_text(text)
        with pytest.raises(SecretFound) as caught:
            manager.trees.write(worktree)
        assert "mydogsname" not in str(caught.value)


def test_a_key_as_a_name_is_not_recorded_nor_told(manager: GitManager) -> None:
    key = "ghp_" + "ZxKqW8mN3pLvT7rYcB2dFgH5jS9aUe4iXo6M"
    for number, name in enumerate([f"{key}.py", f"src/{key}/app.py", f"a_{key}", f"sk-proj-{key[4:]}.txt", "link"]):
        worktree = manager.worktrees.create(f"n{number}")
        path = worktree.path / (name if name != "link" else key)
        path.parent.mkdir(exist_ok=True)
        if name == "link":
            path.symlink_to("src/app.py")
        elif name.startswith("a_"):
            (worktree.path / "src/app.py").rename(path.with_name(f"{key}.moved"))
        else:
            path.write_text("x = 1\n")
        with pytest.raises(SecretFound, match="in its name") as caught:
            manager.trees.write(worktree)
        assert key[4:] not in str(caught.value) and key[4:] not in caught.value.path


@pytest.mark.parametrize("name", ["a\u202egpj.py", "a\u200b.py", ".gitmodules", ".GitModules"])
def test_names_that_tools_refuse_are_refused_at_a_commit(manager: GitManager, name: str) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / name).write_text("x = 1\n")
    with pytest.raises(UnsafeContent) as caught:
        manager.trees.write(worktree)
    assert caught.value.kind == "name"


HIDDEN = "ZxKqW8mN3pLvT7rYcB2dFgH5jS9aUe4iXo6M"


@pytest.mark.parametrize(
    "text",
    [
        f"notes:1:\x1b[32m\x1b[Kx\x1b[m\x1b[K = \x1b[01;31m\x1b[Kghp_\x1b[m\x1b[K{HIDDEN} end",
        f"ghp_\\x1b[m\\x1b[K{HIDDEN}",
        f"ghp_^[[m^[[K{HIDDEN}",
        f"\x1b]8;;http://x\x1b\\gh\x1b]8;;\x07p_{HIDDEN}",
        f"gh\u00adp_{HIDDEN}",
        "\u200b".join(f"ghp_{HIDDEN}"),
        "\0".join(f"ghp_{HIDDEN}"),
        "".join(f"{letter}\b{letter}" for letter in f"ghp_{HIDDEN}"),
        f"x\x1b[mghp_\x1b[m{HIDDEN}",
        f"\x1b[1mAPI_KEY\x1b[0m=\x1b[2m{HIDDEN[:9]}\x1b[m{HIDDEN[9:]}",
        f"-----BEGIN \x1b[1mPRIVATE\x1b[m KEY-----\nab\x1b[mc\n{HIDDEN}\n-----END PRIVATE\x1b[m KEY-----",
    ],
)
def test_what_is_not_shown_hides_no_key(text: str) -> None:
    around = "\x1b[1mbold\x1b[m \u200d\n"
    masked = redact(f"{around}{text}\n")
    assert "[redacted]" in masked
    assert not [part for part in (HIDDEN[:9], HIDDEN[9:]) if part in re.sub("[^A-Za-z0-9]", "", masked)]
    assert redact(around) == around


def test_a_message_holds_no_secret(manager: GitManager) -> None:
    worktree = work(manager, "t1", {"src/app.py": "one = 2\n"})
    (worktree.path / "src/app.py").write_text("one = 3\n")
    assert "[redacted]" in manager.commits.commit(worktree, f"Use {KEY}", {"Stage": "more"}).subject


def test_a_change_that_is_too_large_to_be_looked_over_is_refused(manager: GitManager) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "data.txt").write_text("word word\n" * 300_000)
    with pytest.raises(UnsafeContent, match="make a smaller change"):
        manager.trees.write(worktree)


_LINES = ["q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8BI0VniavN7wEjRWeJ"] * 3
_END = "-----END OPENSSH PRIVATE " + "KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        'KEY = """\\\n' + "\n".join(_LINES) + f'\n{_END}"""\n',
        'KEY = "' + "\\n".join(_LINES) + f'\\n{_END}"\n',
        "key: |\n" + "".join(f"    {line}\n" for line in _LINES) + f"    {_END}\n",
        "KEY = (\n" + "".join(f'    "{line}\\n"\n' for line in _LINES) + f'    "{_END}"\n)\n',
        "\r\n".join([*_LINES, _END, ""]),
    ],
)
def test_a_private_key_without_its_first_line_is_found_and_masked(text: str) -> None:
    assert secrets_in(text)[0].kind == "a private key"
    assert _LINES[0] not in redact(text) and "PRIVATE" not in redact(text)
    assert secrets_in(text, text) == []


@pytest.mark.parametrize("text", [f'if "{_END}" in text:\n    found = True\n', f"# ends with\n# {_END}\n"])
def test_code_that_knows_what_a_key_ends_with_holds_none(text: str) -> None:
    assert secrets_in(text) == [] and redact(text) == text


PLANTED_TOKEN = f"ghp_{letters(35)}7"
_ENCODED = b64encode(PLANTED_TOKEN.encode()).decode()
_CODES = [ord(letter) for letter in PLANTED_TOKEN]
OTHERWISE = {
    "escapes": "T = '" + "".join(f"\\x{code:02x}" for code in _CODES) + "'\n",
    "one escape": f"T = '\\x67{PLANTED_TOKEN[1:]}'\n",
    "JSON": f'{{"t": "\\u0067{PLANTED_TOKEN[1:]}"}}\n',
    "octal": f"T = '\\147{PLANTED_TOKEN[1:]}'\n",
    "pieces": f"T = ('{PLANTED_TOKEN[:9]}'\n     '{PLANTED_TOKEN[9:]}')\n",
    "joined by +": f"const t = `{PLANTED_TOKEN[:2]}` + '{PLANTED_TOKEN[2:]}'\n",
    "joined by join": f"T = ''.join(['{PLANTED_TOKEN[:9]}', '{PLANTED_TOKEN[9:]}'])\n",
    "base64": f"T = b64decode('{_ENCODED}')\n",
    "base64 in pieces": f"T = b64decode('{_ENCODED[:9]}' '{_ENCODED[9:]}')\n",
    "hex": f"T = bytes.fromhex('{PLANTED_TOKEN.encode().hex()}')\n",
    "numbers": f"T = bytes({_CODES})\n",
    "HTML": f"<a token='&#103;{PLANTED_TOKEN[1:]}'>\n",
    "a URL": f"url: /?t=%67{PLANTED_TOKEN[1:]}\n",
}


@pytest.mark.parametrize("form", OTHERWISE)
def test_a_key_that_the_language_puts_together_is_found(form: str) -> None:
    text = f"import os\n{OTHERWISE[form]}"
    assert [found.line for found in secrets_in(text)] == [2]
    assert secrets_in(f"x = 1\n{text}", text) == [], "what was there may stay"
