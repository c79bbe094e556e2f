"""A MariaDB of a case's own."""

from pathlib import Path

from tests import services
from tests.chaos.servers.own import Own, program

DATABASE = "trunkline"


class MariaDB(Own):
    """With Debian's defaults: every commit is flushed."""

    def __init__(self, directory: Path) -> None:
        self._program = program("mariadbd", "/usr/sbin/mariadbd")
        self._install = program("mariadb-install-db", "/usr/bin/mariadb-install-db")
        super().__init__(directory, "mysql")
        self.data = directory / "data"
        self.server = services.MariaDB(f"mysql://root@127.0.0.1:{self.port}")

    def make(self) -> None:
        """A new data directory whose root needs no password."""
        self.run(self._install, "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal")

    def command(self) -> list[str]:
        return [
            self._program,
            "--no-defaults",
            f"--datadir={self.data}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self.directory}/socket",
            f"--pid-file={self.directory}/pid",
        ]

    def answers(self) -> bool:
        return bool(services.execute(self.server, "SELECT 1"))

    def make_database(self) -> str:
        """A DATABASE_URL."""
        services.create_database(self.server, DATABASE)
        return f"{self.server.url}/{DATABASE}"
