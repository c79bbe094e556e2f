"""Keys kept in the data directory: several processes that start at once agree on one, and nobody else reads it."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.environment import Environment, read
from config.settings import keys

ROOT = Path(__file__).resolve().parents[3]
PROCESSES, KEYS = 4, 25
# For each line it reads, which all get at the same moment, it asks for the key of that name and says what it got.
PROGRAM = """
import sys
from pathlib import Path
from config.settings.keys import kept
folder, mine = Path(sys.argv[1]), sys.argv[2]
for line in sys.stdin:
    print(kept(folder / line.strip(), mine * 60), flush=True)
"""


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen([*command, mine], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for mine in "abcd"[:PROCESSES]
        ]
        winners = [agreed(running, f"{number}.key") for number in range(KEYS)]
    assert {len(key) for key in winners} == {60}
    assert len(set(winners)) > 1  # now the one was first, now the other: they did meet
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{number}.key" for number in range(KEYS))


def agreed(running: list[subprocess.Popen[str]], name: str) -> str:
    """The key of that name, which all were asked for at once and got alike."""
    for process in running:
        assert process.stdin is not None
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
    keys = {process.stdout.readline().strip() for process in running if process.stdout}
    assert len(keys) == 1
    return keys.pop()


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    keys.kept(tmp_path / "secret.key", "fresh")
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_what_is_kept_stays(tmp_path: Path) -> None:
    assert [keys.kept(tmp_path / "a.key", fresh) for fresh in ("one", "two")] == ["one", "one"]


@pytest.fixture
def embedded(tmp_path: Path) -> Environment:
    return read({"TRUNKLINE_DATA_DIR": str(tmp_path / "new" / "var")})


def test_an_embedded_installation_makes_its_own_keys_once(embedded: Environment) -> None:
    directory = keys.data_dir(embedded)
    assert directory.stat().st_mode & 0o777 == 0o700
    secret, encryption = keys.secret_key(embedded, directory), keys.encryption_keys(embedded, directory)
    assert len(secret) >= 50
    [(key_id, key)] = encryption
    assert (key_id, len(key)) == ("embedded", 32)
    assert (keys.secret_key(embedded, directory), keys.encryption_keys(embedded, directory)) == (secret, encryption)


def test_the_environments_own_keys_come_first_and_leave_no_file(tmp_path: Path) -> None:
    key = "a:" + "A" * 43 + "="
    environment = read({
        "TRUNKLINE_DATA_DIR": str(tmp_path), "SECRET_KEY": "mine", "TRUNKLINE_ENCRYPTION_KEYS": key
    })  # fmt: skip
    assert keys.secret_key(environment, tmp_path) == "mine"
    assert keys.encryption_keys(environment, tmp_path) == (("a", bytes(32)),)
    assert list(tmp_path.iterdir()) == []
