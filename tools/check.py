"""`make check`: every check, two at a time, one summary line each; fails at the end if any failed."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tools.environment import clean_environment

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
AT_ONCE = 2
SCRIPTS = ("tools/find_python.sh", "tools/install.sh", "deploy/compose/make_secrets.sh", ".ci/run")


@dataclass(frozen=True, slots=True)
class Check:
    """A command that must exit 0."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """How a check went; `seconds` is wall time."""

    check: Check
    verdict: str  # passed, failed or skipped
    seconds: float
    output: str

    def line(self) -> str:
        return f"{self.verdict:8} {self.check.name:12} {self.seconds:5.1f} s"


def checks(scratch: Path) -> Iterator[Check]:
    """All of them, the longest first so that the short ones fill the gaps."""
    yield _module("types", "mypy")
    yield _manage("openapi", "spectacular", "--validate", "--fail-on-warn", "--file", str(scratch / "openapi"))
    yield _manage("migrations", "makemigrations", "--check", "--dry-run")
    yield _manage("django", "check", "--fail-level", "WARNING")
    yield _tool("layers", "lint-imports", "--no-logo")
    yield _module("lint", "ruff", "check", "--output-format", "concise")
    yield _module("format", "ruff", "format", "--check", "--output-format", "concise")
    yield _tool("dockerfile", "hadolint", "Dockerfile")
    yield _schema("compose", "vendor.compose-spec", "compose.yaml")
    yield _schema("workflow", "vendor.github-workflows", ".github/workflows/ci.yml")
    yield _tool("shell", "shellcheck", *SCRIPTS)


def _module(name: str, module: str, *arguments: str) -> Check:
    return Check(name, (sys.executable, "-m", module, *arguments))


def _manage(name: str, *arguments: str) -> Check:
    return Check(name, (sys.executable, "-W", "error", "manage.py", *arguments))


def _tool(name: str, program: str, *arguments: str) -> Check:
    return Check(name, (shutil.which(program, path=str(BIN)) or program, *arguments))


def _schema(name: str, schema: str, path: str) -> Check:
    return _module(name, "check_jsonschema", "--builtin-schema", schema, path)


def run(check: Check, environment: dict[str, str]) -> Result:
    """One check; skipped where its program isn't installed and no lock of ours brings it."""
    started = time.perf_counter()
    if shutil.which(check.command[0]) is None:
        return Result(check, "skipped", 0.0, f"{check.command[0]} is not installed")
    done = subprocess.run(
        check.command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    verdict = "failed" if done.returncode else "passed"
    return Result(check, verdict, time.perf_counter() - started, done.stdout.strip())


def chosen(scratch: Path, names: list[str]) -> list[Check]:
    """The checks of these names, or all; raises SystemExit for a name that is none."""
    every = {check.name: check for check in checks(scratch)}
    if unknown := set(names) - set(every):
        raise SystemExit(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    return [every[name] for name in names or every]


def report(result: Result) -> None:
    print(result.line(), flush=True)
    if result.verdict != "passed":
        print("".join(f"  {line}\n" for line in result.output.splitlines()), flush=True)


def main(names: list[str]) -> int:
    """Runs the named checks (all by default); 1 if any failed."""
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="trunkline-check-") as scratch:
        environment = clean_environment(TRUNKLINE_DATA_DIR=scratch)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            runs = [pool.submit(run, check, environment) for check in chosen(Path(scratch), names)]
            for done in as_completed(runs):
                report(done.result())
                verdicts.append(done.result().verdict)
    counts = {verdict: verdicts.count(verdict) for verdict in ("passed", "failed", "skipped")}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
