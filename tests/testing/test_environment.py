"""Environments made for real, from PyPI, in the set-up sandbox."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from testing import Environment, EnvironmentManager, EnvironmentSetupError, Mount, RunKilled, Sandbox, TestRunner
from testing.environments.environment import PYTHON
from testing.sandbox.confinement import base_interpreter
from tests.support.rounds import one_in
from tests.testing.conftest import Tree
from tests.testing.test_supervision import eventually

PROJECT = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling", "hatch-vcs"]
build-backend = "hatchling.build"
[project]
name = "slugtools"
dynamic = ["version"]
dependencies = ["idna==3.10"]
optional-dependencies.tests = ["pytest>=8", "iniconfig"]
[tool.hatch]
version.source = "vcs"
build.hooks.vcs.version-file = "src/slugtools/_version.py"
""",
    "src/slugtools/__init__.py": "from slugtools._version import version\n",
    "src/slugtools/locale/de/LC_MESSAGES/slugtools.po": """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8"

msgid "yes"
msgstr "ja"
""",
    "tests/test_it.py": """
import gettext, importlib.metadata, idna, slugtools
def test_version(): assert importlib.metadata.version("slugtools") == slugtools.version == "9999.0.0"
def test_source(): assert slugtools.__file__ == "/work/src/slugtools/__init__.py"
def test_dependency(): assert idna.__version__ == "3.10"
def test_translation():
    assert gettext.translation("slugtools", "/work/src/slugtools/locale", ["de"]).gettext("yes") == "ja"
""",
}


def leftovers(manager: EnvironmentManager) -> list[Path]:
    """Of this process: other workers build in the same folder."""
    return list(manager.root.glob(f".building-*-{os.getpid()}"))


def test_a_project_is_installed_editable_with_its_generated_files(
    manager: EnvironmentManager, runner: TestRunner, tree: Tree
) -> None:
    steps: list[str] = []
    source = tree(PROJECT)
    environment = manager.ensure(source, progress=steps.append)
    assert environment.editable and environment.notes == []
    assert environment.generated == [
        "src/slugtools/_version.py",
        "src/slugtools/locale/de/LC_MESSAGES/slugtools.mo",
    ]
    assert steps == [
        "creating the virtual environment",
        "installing the project and its test dependencies",
        "compiling the project's translations",
    ]
    assert not (source / "src/slugtools/_version.py").exists(), "the sources given are left as they are"
    assert leftovers(manager) == []

    result = runner.run_tests(source, environment)
    assert result.passed, result
    assert result.test_count == 4

    steps.clear()
    again = EnvironmentManager(manager.root.parent, Sandbox(bwrap=Path("/nonexistent")))
    assert again.ensure(tree(PROJECT), progress=steps.append) == environment
    assert steps == []


def test_an_environment_belongs_to_the_daemon_and_cannot_be_changed(
    base_environment: Environment, sandbox: Sandbox
) -> None:
    for root, folders, files in os.walk(base_environment.path):
        for name in (*folders, *files):
            found = Path(root, name).lstat()
            assert found.st_uid == os.geteuid()
            assert stat.S_ISLNK(found.st_mode) or not found.st_mode & 0o022, (root, name)
    script = (
        "touch /env/venv/x; echo import os > $(echo /env/venv/lib/python*/site-packages)/x.pth; chmod 777 /env/venv"
    )
    result = sandbox.run(["sh", "-c", script], mounts=[base_environment.mount], cwd="/", timeout=60)
    assert result.output.count("Read-only file system") == 3
    assert base_environment.key in str(base_environment.path)
    assert (base_environment.path / "setup.log").read_text().count("$ ") == 2


def test_two_at_once_build_once(manager: EnvironmentManager, tree: Tree) -> None:
    source = tree({"requirements.txt": "iniconfig==2.0.0\n"})
    steps: list[str] = []
    made: list[Environment] = []
    threads = [
        threading.Thread(target=lambda: made.append(manager.ensure(source, progress=steps.append))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[1] == made[2]
    assert steps.count("creating the virtual environment") == 1
    assert steps.count("waiting for the same environment to be made by another task") == 2


def test_who_makes_an_environment_for_too_long_is_not_waited_for(tmp_path: Path, sandbox: Sandbox, tree: Tree) -> None:
    manager = EnvironmentManager(tmp_path, sandbox, timeout=0.1)
    source = tree({"requirements.txt": "iniconfig==2.0.0\n"})
    place = manager.root / ".locks" / manager.key(source)
    place.parent.mkdir(parents=True)
    steps: list[str] = []
    with place.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentSetupError, match="Another process has been making the same environment") as told:
            manager.ensure(source, progress=steps.append)
    assert str(place) in str(told.value)
    assert steps == ["waiting for the same environment to be made by another task"]


def test_what_cannot_be_installed_for_tests_is_left_out_and_told(manager: EnvironmentManager, tree: Tree) -> None:
    source = tree({"requirements.txt": "iniconfig\n", "requirements-test.txt": "no-such-package-4711-x\n"})
    environment = manager.ensure(source)
    assert environment.notes == ["could not be installed here and were left out: no-such-package-4711-x"]
    assert environment.has_module("iniconfig") and environment.has_module("pytest")
    log = (environment.path / "setup.log").read_text()
    assert "no-such-package-4711-x" in log and f"NOTE: {environment.notes[0]}" in log


def test_a_project_that_does_not_build_gets_what_it_lists(
    manager: EnvironmentManager, runner: TestRunner, tree: Tree
) -> None:
    files = {  # two top-level packages, which setuptools refuses to choose from
        "pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = ["iniconfig"]\n',
        "web/__init__.py": "", "jobs/__init__.py": "",
        "tests/test_app.py": "import iniconfig, jobs, web\ndef test_app(): pass\n",
    }  # fmt: skip
    environment = manager.ensure(tree(files))
    assert not environment.editable
    assert environment.notes == ["the project itself could not be installed; only the dependencies it lists were"]
    assert runner.run_tests(tree(files), environment).passed


@pytest.mark.long
def test_what_cannot_be_installed_is_found_among_what_can(manager: EnvironmentManager, tree: Tree) -> None:
    good = ["iniconfig==2.0.0", "six", "colorama==0.4.6", "packaging"]
    listed = [*good[:2], "no-such-package-4711-a==1  # for windows", *good[2:], "no-such-package-4711-b"]
    environment = manager.ensure(tree({"requirements.txt": "\n".join(listed)}))
    assert environment.notes == [
        "could not be installed here and were left out: no-such-package-4711-a==1, no-such-package-4711-b"
    ]
    assert environment.has_module("six") and environment.has_module("packaging")


def test_a_project_that_cannot_be_built_is_imported_from_its_folder(
    manager: EnvironmentManager, runner: TestRunner, tree: Tree
) -> None:
    files = {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "shop"\nversion = "1"\n',
        "shop/__init__.py": "", "data/__init__.py": "", "assets/a.txt": "",
        "tests/__init__.py": "", "tests/test_shop.py": "import shop\ndef test_shop(): pass\n",
    }  # fmt: skip
    environment = manager.ensure(tree(files))
    assert environment.notes == ["the project itself could not be installed; it is imported from its folder instead"]
    assert runner.run_tests(tree(files), environment).passed


def test_plugins_that_pytests_options_need_are_installed(
    manager: EnvironmentManager, runner: TestRunner, tree: Tree
) -> None:
    files = {"pytest.ini": "[pytest]\naddopts = --cov=a --timeout=9\n", "tests/test_a.py": "def test_a(): pass\n"}
    environment = manager.ensure(tree(files))
    assert {note.split()[0] for note in environment.notes} == {"pytest-cov", "pytest-timeout"}
    assert runner.run_tests(tree(files), environment).passed
    off = files | {"pytest.ini": "[pytest]\naddopts = -p no:cov\n"}
    assert runner.run_tests(tree(off), environment).passed, "our own option is left out with the plugin"


def test_a_failure_shows_the_end_of_the_log_and_leaves_nothing(manager: EnvironmentManager, tree: Tree) -> None:
    source = tree({"requirements.txt": "no-such-package-4711-y\n"})
    with pytest.raises(EnvironmentSetupError, match=r"testing\.setup_command") as failed:
        manager.ensure(source)
    assert "no-such-package-4711-y" in failed.value.log_tail
    key = manager.key(source)
    assert not (manager.root / key).exists() and leftovers(manager) == []
    assert "no-such-package-4711-y" in (manager.root / f"{key}.failed.log").read_text()


def test_a_set_up_command_replaces_detection_and_sees_no_secret(
    manager: EnvironmentManager, runner: TestRunner, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_canary")
    command = (
        "pip --version && (env; cat /proc/*/environ; cat /root/.netrc) > seen.txt 2>&1 || true;"
        "ln -s /etc/passwd link; mkdir -p made __pycache__; echo 1 > made/file; touch __pycache__/x.pyc;"
        "chmod u+s made/file; echo broken > requirements.txt"
    )
    source = tree({"requirements.txt": "no-such-package-4711-z\n", "test_a.py": "def test(): open('made/file')\n"})
    environment = manager.ensure(source, setup_command=command)
    assert environment.generated == ["made/file", "seen.txt"]
    kept = environment.path / "generated"
    assert "canary" not in (kept / "seen.txt").read_text()
    assert stat.S_IMODE((kept / "made/file").stat().st_mode) == 0o644
    assert manager.key(source) != manager.key(source, setup_command=command)
    assert runner.run_tests(source, environment).passed
    assert (source / "requirements.txt").read_text() == "no-such-package-4711-z\n"

    outside = tree({})
    planted = tree({"seen.txt": "mine"})
    (planted / "made").symlink_to(outside)
    environment.lay_generated(planted)
    assert list(outside.iterdir()) == [], "generated files are never laid through a link"
    assert (planted / "seen.txt").read_text() == "mine"


def test_what_is_written_after_a_set_up_goes_through_none_of_its_links(manager: EnvironmentManager, tree: Tree) -> None:
    home = tree({"profile": "mine"})
    links = {"ready.json": home / "profile", "setup.log": home / "profile", "generated": home}
    command = "; ".join(f"ln -s {target} /env/{name}" for name, target in links.items())
    environment = manager.ensure(tree({}), framework="unittest", setup_command=command)
    assert [(path.name, path.read_text()) for path in home.iterdir()] == [("profile", "mine")]
    assert not any((environment.path / name).is_symlink() for name in links)
    folders = f"mkdir -p /env/ready.json/x /env/setup.log/x /env/generated/x; : {home}"
    assert manager.ensure(tree({}), framework="unittest", setup_command=folders).generated == []


def test_a_link_in_the_place_of_what_is_mounted_is_refused(manager: EnvironmentManager, tree: Tree) -> None:
    command = f"rm -rf /env/venv; ln -s {tree({})} /env/venv"
    with pytest.raises(EnvironmentSetupError, match="a link in the place of /env/venv"):
        manager.ensure(tree({}), framework="command", setup_command=command)
    assert leftovers(manager) == []


def test_a_build_that_is_killed_leaves_nothing(manager: EnvironmentManager, sandbox: Sandbox, tree: Tree) -> None:
    source = tree({})
    stale = manager.root / ".building-0123456789abcdef0123-1"
    (stale / "env").mkdir(parents=True)
    killed = threading.Event()

    def build() -> None:
        try:
            manager.ensure(source, setup_command="touch started; sleep 60", label="task-7")
        except RunKilled:
            killed.set()

    thread = threading.Thread(target=build)
    thread.start()
    assert eventually(lambda: any(manager.root.glob(".building-*/work/started")))
    assert not stale.exists(), "a build that another daemon was killed in is swept"
    assert sandbox.kill("task-7") == 1
    thread.join(10)
    assert killed.is_set()
    assert leftovers(manager) == []


def test_the_shared_cache_and_sources_are_not_in_a_test_run(base_environment: Environment, sandbox: Sandbox) -> None:
    mounts = [base_environment.mount, Mount(base_environment.path / "generated", "/work")]
    result = sandbox.run(["ls", "/", "/env"], mounts=mounts, cwd="/", timeout=60)
    assert "cache" not in result.output
    assert result.output.split()[-1] == "venv"
    assert base_interpreter().executable.name.startswith("python")


@pytest.mark.parametrize(
    ("release", "bound", "version"),
    one_in(3, [("2.4.1", ">=2.4,<3", "2.4.1"), ("", ">=2", "9999.0.0"), ("", "<10", "0.0.0")]),
)
def test_a_dependency_takes_the_version_that_stands_in_for_the_tag(
    manager: EnvironmentManager, runner: TestRunner, tree: Tree, release: str, bound: str, version: str
) -> None:
    """A plugin of the project, which asks for a version of it, is among what its tests need."""
    plugin = "slugtools-plugin @ file:///work/plugin"
    files = {
        "pyproject.toml": f"""
[build-system]
requires = ["setuptools", "setuptools-scm"]
build-backend = "setuptools.build_meta"
[project]
name = "slugtools"
dynamic = ["version"]
optional-dependencies.tests = ["{plugin}"]
[tool.setuptools]
py-modules = ["slugtools"]
[tool.setuptools_scm]
# its plugin wants {bound}
""",
        "slugtools.py": "",
        "plugin/pyproject.toml": f"""
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "slugtools-plugin"
version = "1"
dependencies = ["slugtools{bound}"]
[tool.setuptools]
py-modules = ["slugtools_plugin"]
""",
        "plugin/slugtools_plugin.py": "",
        "tests/test_it.py": f"""
import importlib.metadata, slugtools_plugin
def test_version(): assert importlib.metadata.version("slugtools") == "{version}"
""",
    }
    source = tree(files)
    environment = manager.ensure(source, release=release)
    assert environment.notes == []
    result = runner.run_tests(source, environment)
    assert result.passed, result
    assert manager.key(source, release="1.0") != manager.key(source, release="2.0")
    assert manager.key(tree({}), release="1.0") == manager.key(tree({}), release="2.0")


PLANT = "import pathlib, sysconfig\npathlib.Path(sysconfig.get_paths()['purelib'], 'planted.py').write_text({!r})\n"


def test_a_shared_environment_is_made_of_what_has_landed(
    manager: EnvironmentManager, runner: TestRunner, tree: Tree
) -> None:
    """Code that a set-up runs is in no key: an answer that never lands must not leave anything for later verdicts."""
    landed = tree({"plant.py": PLANT.format("BY = 'owner'"), "requirements.txt": "iniconfig==2.0.0\n"})
    test = "import planted\ndef test_it(): assert planted.BY == {!r}\n"
    trial = tree({"plant.py": PLANT.format("BY = 'trial'"), "requirements.txt": "iniconfig==2.0.0\n",
                  "tests/test_it.py": test.format("owner")})  # fmt: skip
    command = f"{PYTHON} plant.py && pip install -r requirements.txt"

    def ensure(source: Path, number: str) -> Environment:
        return manager.ensure(source, setup_command=command, landed=lambda: nullcontext(landed), tree=number)

    shared = ensure(trial, "1")
    assert shared == ensure(landed, "0")
    assert runner.run_tests(trial, shared).passed

    (trial / "requirements.txt").write_text("iniconfig==2.0.0\nidna==3.10\n")
    (trial / "tests/test_it.py").write_text(test.format("trial"))
    apart = ensure(trial, "2")
    assert apart.key != shared.key and runner.run_tests(trial, apart).passed
    assert ensure(trial, "3").key not in (apart.key, shared.key), "another tree is not judged by what this one left"
    assert ensure(landed, "0") == shared


def test_what_a_set_up_leaves_in_a_cache_reaches_no_other(manager: EnvironmentManager, tree: Tree) -> None:
    look = "ls -A /cache > /env/seen; mkdir -p /cache/uv /cache/pip; echo x > /cache/planted"
    for name in ("a", "b"):
        environment = manager.ensure(tree({"requirements.txt": f"# {name}\n"}), setup_command=look)
        assert (environment.path / "seen").read_text() in ("", "uv\n", "pip\nuv\n")


def test_a_host_that_is_no_index_is_named_with_its_remedy(manager: EnvironmentManager, tree: Tree) -> None:
    source = tree({"requirements.txt": "idna @ https://forge.example/idna.zip\n"})
    with pytest.raises(
        EnvironmentSetupError, match=r"\(forge\.example\) and was not let through: add one to testing\.setup_hosts"
    ):
        manager.ensure(source)
