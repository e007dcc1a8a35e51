"""What keys look like that are known by their beginning, as their providers publish it (as of November 2026).

Private keys stand here by the beginning of their body, too: it is the same for every key of a kind, and a key is one
without its `-----BEGIN` line.
"""

from __future__ import annotations

import re

_SHAPES: dict[str, str] = {
    "a key of Anthropic, OpenAI or a server like theirs": r"sk-(?:ant-|proj-|or-v1-)?[A-Za-z0-9_-]{16,}",
    "a key of Google": r"AIza[0-9A-Za-z_-]{35}|GOCSPX-[0-9A-Za-z_-]{28}|ya29\.[0-9A-Za-z_-]{30,}",
    "a key of this program's control room": r"aak_[A-Za-z0-9_-]{40,}",
    "a token of Hugging Face": r"(?:hf|api_org)_[A-Za-z0-9]{30,}",
    "a key of a model provider": (
        r"gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}|r8_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{40,}|tvly-[A-Za-z0-9-]{20,}"
        r"|pcsk_[A-Za-z0-9_]{40,}|nvapi-[A-Za-z0-9_-]{60,}|fw_[A-Za-z0-9]{22,}\b|csk-[a-z0-9]{40,}|jina_[A-Za-z0-9]{40,}"
        r"|tgp_v1_[A-Za-z0-9_-]{30,}|sk_[a-f0-9]{48}\b|lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"
    ),
    "a token of GitHub": r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
    "a token of GitLab": r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[A-Za-z0-9_-]{16,}",
    "a token of Atlassian": r"ATATT3[A-Za-z0-9_=-]{50,}|ATBB[A-Za-z0-9]{24,}",
    "a key of AWS": r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}\b",
    "a key of Azure": (
        r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}={0,2}|[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}"
    ),
    "a token of DigitalOcean": r"do[por]_v1_[a-f0-9]{64}",
    "a token of a hosting provider": (
        r"HRKU-[A-Za-z0-9_-]{36,}|nfp_[A-Za-z0-9]{36,}|sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{20,}|vcp_[A-Za-z0-9]{24,}"
        r"|pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,}|tskey-[a-z]+-[A-Za-z0-9-]{20,}|fm[12]r?_[A-Za-z0-9+/=_-]{60,}"
        r"|LTAI[A-Za-z0-9]{16,}|rnd_[A-Za-z0-9]{28,}|CCIPAT_[A-Za-z0-9_]{40,}|bkua_[a-f0-9]{40}|pul-[a-f0-9]{40}"
    ),
    "a key of Stripe": r"[rs]k_(?:live|test)_[0-9A-Za-z]{16,}|whsec_[0-9A-Za-z]{16,}",
    "a key of a shop or payment provider": (
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,}"
        r"|EAAA[A-Za-z0-9_-]{50,}"
    ),
    "a token of Slack": (
        r"xox[abeprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"
    ),
    "a token of Discord": (
        r"discord(?:app)?\.com/api/webhooks/\d{15,}/[\w-]{60,}"
        r"|[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}"
    ),
    "a token of Telegram": r"\d{8,10}:[A-Za-z0-9_-]{35}\b",
    "a key of a mail provider": (
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|key-[0-9a-f]{32}\b|[0-9a-f]{32}-us\d{1,2}\b"
        r"|re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}"
        r"|xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}|xsmtpsib-[a-f0-9]{64}-[A-Za-z0-9]{16}"
    ),
    "a token of a package registry": (
        r"npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|rubygems_[a-f0-9]{48}|dckr_pat_[A-Za-z0-9_-]{20,}"
        r"|cio[A-Za-z0-9]{32}\b"
        r"|dckr_oat_[A-Za-z0-9_-]{20,}|oy2[a-z0-9]{43}\b"
    ),
    "a token of a monitoring or database provider": (
        r"gl(?:sa|c)_[A-Za-z0-9_=+/]{32,}|NRAK-[A-Z0-9]{27}|sntry[su]_[A-Za-z0-9_=+/]{40,}|dapi[a-f0-9]{32}\b"
        r"|phx_[A-Za-z0-9]{40,}"
        r"|napi_[a-z0-9]{60,}|dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}|sq[pua]_[a-f0-9]{40}\b"
    ),
    "a token of a secret store": (
        r"hvs\.[A-Za-z0-9_-]{24,}|dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9_.-]{40,}|ops_eyJ[A-Za-z0-9_-]{40,}"
        r"|hvb\.[A-Za-z0-9_-]{24,}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}"
    ),
    "a token of an office tool": (
        r"lin_api_[A-Za-z0-9]{40}|ntn_[A-Za-z0-9]{40,}|figd_[A-Za-z0-9_-]{40,}|pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"
        r"|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|pat-[a-z]{2}\d-[0-9a-f-]{36}|CFPAT-[A-Za-z0-9_-]{40,}"
        r"|[ps]k\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{10,}"
    ),
    "a JSON web token": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
    "a private key": (
        r"AGE-SECRET-KEY-1[0-9A-Z]{50,}|b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=\\n]{40,}"
        r"|MIIE[vp][A-Za-z0-9+/]IBA[A-Za-z0-9+/=\\n]{50,}"
        r"|MIIJ[QRK][A-Za-z0-9+/]IBA[A-Za-z0-9+/=\\n]{50,}|MIICX[A-Za-z0-9+/]IBAAKBg[A-Za-z0-9+/=\\n]{50,}"
        r"|MHcCAQEEI[A-Za-z0-9+/=]{40,}|MIGHAgEAMBMGByqGSM49[A-Za-z0-9+/=]{40,}|MC4CAQAwBQYDK2VwBCIEI[A-Za-z0-9+/=]{30,}"
    ),
}
KINDS = tuple(_SHAPES)
PRIVATE_KEY = re.compile(
    r"(?:b3BlbnNzaC1rZXktdjE|MIIE[vp][A-Za-z0-9+/]IBA|MIIJ[QRK][A-Za-z0-9+/]IBA|MIICX[A-Za-z0-9+/]IBAAKBg|MHcCAQEEI"
    r"|MIGHAgEAMBMGByqGSM49)[A-Za-z0-9+/=]{20,}(?:(?:\\n|[\s\"',>|-]){1,20}\+?[A-Za-z0-9+/=]{16,76}){0,100}"
)
"""The body of a private key without its first line, with the lines that follow."""
_BODY = re.compile(
    r"Private-Lines: \d{1,3}(?:\r?\n[A-Za-z0-9+/=]{4,100}(?![^\r\n])){1,80}"  # PuTTY
    r"|\b(?:PrivateKey|PresharedKey)\s{0,8}=\s{0,8}[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="  # WireGuard
    r"|\"kty\"[^{}]{0,2000}?\"d\"\s{0,8}:\s{0,8}\"[A-Za-z0-9_-]{40,1000}\""  # a JSON web key, in either order
    r"|\"d\"\s{0,8}:\s{0,8}\"[A-Za-z0-9_-]{40,1000}\"(?=[^{}]{0,2000}?\"kty\")"
)
"""Private keys of formats that have no line of their own before the secret part."""
_KEY_END = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")
_KEY_LINE = re.compile(
    r"(?:(?<=\\n)|(?<=\\r)|(?<![A-Za-z0-9+/=\\]))[A-Za-z0-9+/=]{16,76}"
    r"(?:\\[rn]|[\"'`,+\\ \t]{0,8}\r?\n[ \t]{0,40}b?[\"'`]{0,3}){1,2}\Z"
)
_KEY_LINE_WINDOW, _MOST_KEY_LINES = 200, 200
_BEFORE = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbfv0])|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})"
    r"|(?<=\[m)|(?<=\[\dm)|(?<=\[\d\dm)|(?<=;\dm)|(?<=;\d\dm)|(?<=/bot))"
)
"""Where a key begins: not within a word, but behind an escape, a colour or an encoded character."""
KEY = re.compile("|".join(f"({shape})" for shape in _SHAPES.values()))
KEYS = re.compile(rf"{_BEFORE}(?:{KEY.pattern})")
"""All of them; the number of the group that matched is 1 + the place in `KINDS`."""


def ends_of_keys(text: str) -> list[tuple[int, int]]:
    """Where private keys stand in a text that have lost their first line, as begin and end: at least one line of
    base64, or one that a `\\n` ends, before the last line of a key; and those of formats that have none."""
    found = []
    for end in _KEY_END.finditer(text):
        begin = end.start()
        for _ in range(_MOST_KEY_LINES):
            line = _KEY_LINE.search(text, max(0, begin - _KEY_LINE_WINDOW), begin)
            if line is None:
                break
            begin = line.start()
        if begin < end.start():
            found.append((begin, end.end()))
    found += [body.span() for body in _BODY.finditer(text)]
    apart: list[tuple[int, int]] = []
    for span in sorted(found):
        if not apart or span[0] >= apart[-1][1]:
            apart.append(span)
    return apart


def keys_in(text: str) -> list[tuple[str, str]]:
    """Kinds and values of the keys in a text, by their beginnings."""
    return [(KINDS[(match.lastindex or 1) - 1], match[0]) for match in KEYS.finditer(text)]
