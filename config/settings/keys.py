"""Keys: from the environment, or, embedded, made once and kept in the data directory for the owner's eyes only."""

import base64
import os
import secrets
from pathlib import Path

from config.environment import Environment


def data_dir(environment: Environment) -> Path:
    """Where the embedded database and keys live; made when missing."""
    path = environment.trunkline_data_dir.resolve()
    if not environment.production:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def secret_key(environment: Environment, directory: Path) -> str:
    if environment.secret_key:
        return environment.secret_key.get_secret_value()
    return kept(directory / "secret.key", secrets.token_urlsafe(64))


def encryption_keys(environment: Environment, directory: Path) -> tuple[tuple[str, bytes], ...]:
    """Newest first."""
    if environment.encryption_keys:
        return environment.encryption_keys
    fresh = base64.b64encode(secrets.token_bytes(32)).decode()
    return (("embedded", base64.b64decode(kept(directory / "encryption.key", fresh))),)


def kept(path: Path, fresh: str) -> str:
    """The file's text; the first of several processes to come writes `fresh` into it, whole or not at all."""
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(fresh)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8").strip()
