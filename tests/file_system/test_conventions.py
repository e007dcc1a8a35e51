"""What a repository says about how its code is to be written."""

from __future__ import annotations

from pathlib import Path

from file_system import conventions_of


def test_instructions_and_settings_within_their_bounds(tmp_path: Path) -> None:
    assert conventions_of(tmp_path) == ""
    (tmp_path / "AGENTS.md").write_text("Name things well.\n" * 1000)
    (tmp_path / "CLAUDE.md").write_text("A copy.\n")
    (tmp_path / "CONTRIBUTING.md").write_text("Write a changelog line.\n")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\nrequires-python = ">=3.12"\n'
        '[tool.ruff]\nline-length = 99\n[tool.ruff.lint]\nselect = ["E"]\n'
    )
    (tmp_path / "package.json").write_text('{"type": "module", "scripts": {"test": "vitest", "secret": "x"}}')
    told = conventions_of(tmp_path)
    assert told.startswith("## AGENTS.md\nName things well.")
    assert "A copy" not in told
    assert "Write a changelog line." in told
    assert told.endswith(
        '## Settings of its tools\npyproject.toml: project.requires-python = ">=3.12"\n'
        'pyproject.toml: tool.ruff.line-length = 99\npyproject.toml: tool.ruff.lint.select = ["E"]\n'
        'package.json: type = "module"\npackage.json: scripts.test = "vitest"'
    )
    assert len(told) < 7000


def test_broken_files_say_nothing_and_links_lead_nowhere(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_text("TOP SECRET")
    (root / "AGENTS.md").symlink_to(tmp_path / "outside")
    (root / "pyproject.toml").write_text("[tool\n")
    (root / "package.json").write_text("[1]")
    (root / "CONTRIBUTING.md").write_bytes(b"\xff\xfe")
    assert conventions_of(root) == ""
