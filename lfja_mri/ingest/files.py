"""Inputs to readable sources: folders, archives, DICOMDIR; named by place in the sorted input, never by path."""

from __future__ import annotations

import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lfja_mri.errors import Reason
from lfja_mri.ingest.walk import Refusal, files_below
from lfja_mri.model import Rejection
from lfja_mri.settings.ingest import IngestSettings

BYTES_PER_MIB = 1024 * 1024
ARCHIVE_SUFFIXES = frozenset({".zip", ".tar", ".tgz", ".gz", ".tbz", ".tbz2", ".bz2", ".txz", ".xz"})
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    ArithmeticError,
    LookupError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or one member of an archive.

    Parameters
    ----------
    number
        1-based place among everything found, in sorted order.
    path
        The file, or the archive that holds the member.
    member
        Name inside the archive; None for a plain file.
    total
        How many were found.
    """

    number: int
    path: Path
    member: str | None = None
    total: int = 0

    @property
    def where(self) -> str:
        """A name that carries nothing of the patient."""
        return f"file {self.number} of {self.total}" if self.total else f"file {self.number}"


@dataclass(frozen=True)
class Found:
    """What the inputs hold: things to read, and things that were not opened."""

    sources: tuple[Source, ...]
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    member: str | None = None
    refusal: tuple[Reason, str] | None = None

    @property
    def order(self) -> tuple[str, str]:
        return (self.path.as_posix(), self.member or "")


def find_sources(inputs: Sequence[Path], settings: IngestSettings) -> Found:
    """List every file and archive member below the inputs, in sorted order.

    A DICOMDIR given as input stands for the folder that holds it: what it lists may be incomplete or moved, so the
    files themselves are read.
    """
    named = {given.resolve() for given in inputs}
    below = {path: refusal for given in inputs for path, refusal in files_below(given)}
    entries = sorted(
        (
            entry
            for path, refusal in below.items()
            for entry in _open(path, settings, refusal, named=path in named)
        ),
        key=attrgetter("order"),
    )
    sources, rejections = [], []
    for number, entry in enumerate(entries, start=1):
        source = Source(number, entry.path, entry.member, len(entries))
        if entry.refusal is None:
            sources.append(source)
        else:
            reason, detail = entry.refusal
            rejections.append(Rejection(source.where, reason, detail))
    return Found(tuple(sources), tuple(rejections))


def open_each(sources: Iterable[Source]) -> Iterator[tuple[Source, BinaryIO | None]]:
    """Open sources one at a time, archives once each and in their own order; None where one cannot be opened.

    Yields in an order that suits reading, not necessarily that of the sources given.
    """
    plain: list[Source] = []
    packed: dict[Path, list[Source]] = {}
    for source in sources:
        if source.member is None:
            plain.append(source)
        else:
            packed.setdefault(source.path, []).append(source)
    for source in plain:
        yield from _open_plain(source)
    for path, members in packed.items():
        yield from _open_members(path, members)


def _open_plain(source: Source) -> Iterator[tuple[Source, BinaryIO | None]]:
    try:
        stream = source.path.open("rb")
    except OSError:
        yield source, None
        return
    with stream:
        yield source, stream


def _open_members(path: Path, members: Sequence[Source]) -> Iterator[tuple[Source, BinaryIO | None]]:
    reader = _read_zip if zipfile.is_zipfile(path) else _read_tar
    wanted = {source.member or "": source for source in members}
    done = set()
    for name, content in reader(path, frozenset(wanted)):
        if name in wanted and name not in done:
            done.add(name)
            yield wanted[name], io.BytesIO(content)
    for name, source in wanted.items():
        if name not in done:
            yield source, None


def _read_zip(path: Path, wanted: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename in wanted:
                    content = _zip_member(archive, info)
                    if content is not None:
                        yield info.filename, content
    except ARCHIVE_ERRORS:
        return


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
    """Read no more than the member promised, so that a lying header cannot fill the memory."""
    try:
        with archive.open(info) as stream:
            return stream.read(info.file_size)
    except ARCHIVE_ERRORS:
        return None


def _read_tar(path: Path, wanted: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for info in archive:
                stream = archive.extractfile(info) if info.isfile() and info.name in wanted else None
                if stream is not None:
                    yield info.name, stream.read()
    except ARCHIVE_ERRORS:
        return


def _open(path: Path, settings: IngestSettings, refusal: Refusal | None, *, named: bool) -> list[_Entry]:
    """Look into an archive; inside folders only those called so, since opening every file twice takes time."""
    if refusal is not None:
        return [_Entry(path, refusal=refusal)]
    kind = _archive_kind(path) if named or path.suffix.lower() in ARCHIVE_SUFFIXES else None
    if kind is None:
        return [_Entry(path, refusal=_too_large(path, settings))]
    try:
        return _zip_entries(path, settings) if kind == "zip" else _tar_entries(path, settings)
    except ARCHIVE_ERRORS:
        return [_Entry(path, refusal=(Reason.UNREADABLE_ARCHIVE, "an archive that is damaged or encrypted"))]


def _too_large(path: Path, settings: IngestSettings) -> Refusal | None:
    try:
        large = path.stat().st_size > settings.largest_file_mib * BYTES_PER_MIB
    except OSError:
        return Reason.UNREADABLE_FILE, "it could not be opened"
    return (Reason.TOO_LARGE, "larger than the limit for one file") if large else None


def _archive_kind(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            start = stream.read(262)
    except OSError:
        return None
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    packed_tar = start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")) and ".t" in path.name.lower()
    return "tar" if packed_tar or start[257:262] == b"ustar" else None


def _zip_entries(path: Path, settings: IngestSettings) -> list[_Entry]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        packed = [
            (info.filename, info.file_size, info.compress_size, bool(info.flag_bits & 1)) for info in infos
        ]
    return _checked(path, packed, settings)


def _tar_entries(path: Path, settings: IngestSettings) -> list[_Entry]:
    packed, total = [], 0
    whole = max(path.stat().st_size, 1)
    with tarfile.open(path) as archive:
        for info in archive:
            if info.isdir():
                continue
            total += info.size
            # stop before a bomb is unpacked on the way to the next header
            if total > settings.largest_archive_ratio * whole:
                detail = "an archive that unpacks to far more than its size"
                return [_Entry(path, refusal=(Reason.TOO_LARGE, detail))]
            # a link may point anywhere, so it counts as unsafe
            name = info.name if info.isfile() else "../" + info.name
            packed.append((name, info.size, info.size, False))
    return _checked(path, packed, settings)


def _checked(
    path: Path, packed: Sequence[tuple[str, int, int, bool]], settings: IngestSettings
) -> list[_Entry]:
    entries, total = [], 0
    for name, size, compressed, encrypted in packed:
        total += size
        entries.append(
            _Entry(path, name, _refusal(name, size, compressed, settings, encrypted=encrypted, total=total))
        )
    return entries


def _refusal(
    name: str,
    size: int,
    compressed: int,
    settings: IngestSettings,
    *,
    encrypted: bool,
    total: int,
) -> tuple[Reason, str] | None:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or ":" in (pure.parts or ("",))[0]:
        return Reason.UNSAFE_ARCHIVE_MEMBER, "its path leads out of the archive"
    if encrypted:
        return Reason.UNREADABLE_ARCHIVE, "an encrypted member"
    if (
        size > settings.largest_file_mib * BYTES_PER_MIB
        or total > settings.largest_archive_mib * BYTES_PER_MIB
    ):
        return Reason.TOO_LARGE, "larger than the limits for archives"
    if size > settings.largest_archive_ratio * max(compressed, 1):
        return Reason.TOO_LARGE, "unpacks to far more than its packed size"
    return None
