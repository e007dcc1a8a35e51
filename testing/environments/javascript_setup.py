"""The environment of a JavaScript project: the packages that npm installs, kept beside the sources.

ES modules are looked up in the folders above the importing file and nowhere else (NODE_PATH counts for `require` only),
so the packages are shown to a run at /work/node_modules, read-only. Where npm's packages come from on this machine is
passed to the set-up without any secret.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from testing.environments.environment import MANAGER
from testing.environments.index_settings import npm_settings
from testing.environments.package_json import dependency_files, has_lock, package_manager, read_package
from testing.environments.setup import Setup
from testing.environments.toolchains import require_toolchain
from testing.errors import EnvironmentSetupError
from testing.frameworks.framework import TestFramework
from testing.frameworks.javascript import CACHES
from testing.sandbox.confinement import Mount

# Install scripts are how a hijacked package gets to run. Hardly any package needs one; an owner who does need one says
# so in testing.setup_command.
_INSTALL = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=warn")


class NodeSetup(Setup):
    """One build of `node_modules`."""

    language = "node"
    remedy = (
        "see that `npm install --ignore-scripts` works in a fresh checkout, or set testing.setup_command to the "
        "command that prepares this repository, such as: npm ci && npm rebuild some-native-package."
    )

    @classmethod
    def identity(cls, framework: TestFramework) -> tuple[str, ...]:
        """Node's version. Two runners share the packages of one project, but each is looked for in its own."""
        return require_toolchain("node").version, framework.name

    @classmethod
    def files(cls, source: Path) -> Sequence[str]:
        """package.json, the lock, .npmrc."""
        return dependency_files(source)

    def install(self, setup_command: str | None) -> bool:
        """Run `setup_command`, or npm: exactly what the lock says where there is one, else what package.json allows."""
        package = read_package(self.project_folder)
        if setup_command:
            self.step("running testing.setup_command", ["sh", "-e", "-c", setup_command])
        elif package is not None and (package.packages or package.workspaces):
            manager, version = package_manager(self.project_folder)
            if manager != "npm":
                self._install_by(manager, version)
            elif has_lock(self.project_folder):
                self.step("installing the packages of the lock file", ["npm", "ci", *_INSTALL])
            else:
                self.note("package.json has no npm lock file: the newest allowed versions were installed")
                self.step("installing the packages", ["npm", "install", "--no-package-lock", *_INSTALL])
        program = self.framework.program
        if program and not (self.project_folder / program).is_file():
            raise EnvironmentSetupError(
                f"The tests run with {self.framework.name}, which is not among the installed packages.",
                "",
                f"add {self.framework.name} to devDependencies in package.json, or set testing.framework.",
            )
        return False

    def _install_by(self, manager: str, version: str) -> None:
        """Install by pnpm or yarn, which npm fetches: as the lock file says, else as package.json allows."""
        modern = manager == "yarn" and not version.startswith("1.") and version != "1"
        package = f"{'@yarnpkg/cli-dist' if modern else manager}@{version}"
        # Scripts call it, too: it stays beside the packages, in a folder that test runs have in their PATH.
        kept = ["--global", f"--prefix={MANAGER}", "--ignore-scripts", "--no-audit", "--no-fund"]
        self.step(f"fetching {manager} {version}", ["npm", "install", *kept, package], cwd="/env")
        call = [f"{MANAGER}/bin/{manager}", "install"]
        if modern:
            exact, free, options = ["--immutable"], ["--no-immutable"], ["--mode=skip-build"]
        else:
            exact, free, options = ["--frozen-lockfile"], ["--no-frozen-lockfile"], ["--ignore-scripts"]
        free = [] if manager == "yarn" and not modern else free
        title = f"installing the packages of the lock file with {manager} {version}"
        if self.step(title, [*call, *options, *exact], required=False) is not None:
            self.step(f"installing the packages with {manager} {version}", [*call, *options, *free])
            has_one = any((self.project_folder / name).is_file() for name in ("pnpm-lock.yaml", "yarn.lock"))
            why = (
                f"{manager}'s lock file does not fit package.json" if has_one else f"there is no lock file of {manager}"
            )
            self.note(f"{why}: the newest allowed versions were installed")

    def mounts(self) -> Sequence[Mount]:
        """Node, where it does not lie in a folder that every sandbox sees, and the files that npm's settings name."""
        return (*require_toolchain("node").mounts, *npm_settings(os.environ).mounts)

    def variables(self) -> dict[str, str]:
        """npm's settings, without any that holds a credential."""
        return {
            "PATH": f"{require_toolchain('node').path}:/usr/local/bin:/usr/bin:/bin",
            "npm_config_cache": "/cache/npm",
            "npm_config_update_notifier": "false",
            "npm_config_manage_package_manager_versions": "false",
            "YARN_NODE_LINKER": "node-modules",
            "YARN_ENABLE_TELEMETRY": "0",
            "CI": "true",
            **npm_settings(os.environ).env,
        }

    def packages(self) -> list[str]:
        """Every outermost `node_modules`, those of workspaces among them, with folders that tools may write to.

        A link is left out: mounted, it would show any folder of the host.
        """
        found = []
        for folder, below, _ in os.walk(self.work_folder):
            if "node_modules" in below:
                name = (Path(folder) / "node_modules").relative_to(self.work_folder).as_posix()
                if (self.work_folder / name).is_symlink():
                    self.note(f"{name} is a link and was left out")
                else:
                    found.append(name)
            below[:] = [name for name in below if name not in ("node_modules", ".git")]
        for name in found:
            kept = self.env_folder / "packages" / name
            kept.parent.mkdir(parents=True, exist_ok=True)
            (self.work_folder / name).rename(kept)
            for cache in CACHES if name == f"{self.place}/node_modules".lstrip("/") else ():
                if (kept / cache).is_symlink():
                    (kept / cache).unlink()
                (kept / cache).mkdir(exist_ok=True)
        return sorted(found)
