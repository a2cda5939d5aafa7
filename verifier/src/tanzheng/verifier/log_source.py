"""Where a log's plain files are read from: a folder, or a web server that offers them."""

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tanzheng.core.errors import TanzhengError
from tanzheng.core.log_files import NEWEST, LogFiles
from tanzheng.core.tiles import ReadFile
from tanzheng.verifier.errors import Unreadable

FILE_BYTES_MAX = 1 << 29
TIMEOUT_S = 30.0


class LogUnreachable(TanzhengError):
    """The web server that offers a log does not answer: try again."""


def open_log(source: str) -> LogFiles:
    """The log at `source`: its folder, the folder of an anchor around it, or a web address."""
    if source.startswith(("http://", "https://")):
        return LogFiles(_from_web(source.rstrip("/")))
    return LogFiles(_from_folder(log_folder(source)))


def log_folder(source: str) -> Path:
    """The folder with the files of a log; `Unreadable` where there is none."""
    for folder in (Path(source), Path(source) / "log"):
        if (folder / NEWEST).is_file() or (folder / "checkpoints").is_dir():
            return folder
    raise Unreadable(f"log: expected a folder with {NEWEST} and tile/, got {source}")


def _from_folder(folder: Path) -> ReadFile:
    def read(name: str) -> bytes | None:
        path = folder / name
        try:
            if path.stat().st_size > FILE_BYTES_MAX:
                raise Unreadable(f"{path}: expected at most {FILE_BYTES_MAX} bytes")
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unreadable(f"{path}: expected a readable file, got {error.strerror}") from error

    return read


def _from_web(address: str) -> Callable[[str], bytes | None]:
    def read(name: str) -> bytes | None:
        url = f"{address}/{name}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http(s)
                data: bytes = answer.read(FILE_BYTES_MAX + 1)
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                return None
            raise LogUnreachable(f"{url}: expected the file, got status {error.code}") from error
        except OSError as error:
            raise LogUnreachable(f"{url}: expected an answer, got {error}") from error
        if len(data) > FILE_BYTES_MAX:
            raise Unreadable(f"{url}: expected at most {FILE_BYTES_MAX} bytes, got more")
        return data

    return read
