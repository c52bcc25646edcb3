"""One run at a time in an output folder; the second is refused and told who came first."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lfja_mri.errors import OutputError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of an output folder; the operating system lets go of it when a run is killed.

    Raises
    ------
    OutputError
        Another run holds it (named by host and process), or the folder cannot be made.
    """
    lock = FileLock(folder / ".lfja-mri.lock", timeout=0)
    holder = folder / ".lfja-mri.run"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"{folder} is being written by {_named(holder)}; wait for it or choose another folder"
        ) from None
    except OSError as error:
        raise OutputError(
            f"cannot write into {folder}: {error.strerror}; choose a folder you may write to"
        ) from error
    try:
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write into {folder}: {error.strerror}; the finished part is intact"
        ) from error
    finally:
        with suppress(OSError):  # gone or not writable any more: that error has been told already
            holder.unlink(missing_ok=True)
        with suppress(OSError):
            lock.release()


def _named(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8")
    except OSError:
        return "another run"
