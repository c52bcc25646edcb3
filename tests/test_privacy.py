"""Nothing that names a person leaves the header: marked values planted in every text element appear nowhere."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from made_dicom import Header, Slab, series, write
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from typer.testing import CliRunner

from lfja_mri.app import app
from lfja_mri.errors import ExitCode

MARK = "ZQXMARK"
BIRTH = "19630427"
FREE_TEXT = {"SH", "LO", "ST", "LT", "UT", "PN", "UC"}
CODES = {"ScanningSequence", "ImageType", "ScanOptions", "SequenceName"}
NAMED = {
    "PatientName": f"{MARK}^JANE",
    "PatientID": f"{MARK}-4711",
    "PatientBirthDate": BIRTH,
    "PatientAddress": f"{MARK} street",
    "InstitutionName": f"{MARK} hospital",
    "ReferringPhysicianName": f"{MARK}^DOCTOR",
    "StudyDescription": f"{MARK} back pain",
    "PatientComments": f"{MARK} comment",
    "AccessionNumber": f"{MARK}1",
    "OperatorsName": f"{MARK}^OPERATOR",
    "StationName": MARK,
    "StudyID": MARK,
    "ImageComments": f"{MARK} image",
    "ProtocolName": f"{MARK} protocol",
    "ContrastBolusAgent": "",
}
NO_SOCKETS = """
import os, sys
def guard(event, given):
    # a library that looks, on being loaded, whether this machine knows IPv6 binds loopback and no more
    if event == "socket.bind" and given[1][0] == "::1":
        return
    if event in {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"}:
        sys.stderr.write("SOCKET " + event)
        os._exit(99)
sys.addaudithook(guard)
"""


def nested(depth: int) -> Sequence:
    """Items within items, each with the mark."""
    inner = Dataset()
    inner.PatientName = f"{MARK}^NESTED{depth}"
    inner.PatientComments = f"{MARK} nested"
    inner.ReferencedSOPInstanceUID = "1.2.3"
    if depth:
        inner.RequestAttributesSequence = nested(depth - 1)
    return Sequence([inner])


def marked(header: Dataset) -> Dataset:
    """Plant the mark in every element that may hold words, beside the words that a series needs."""
    for element in header:
        if element.VR in FREE_TEXT and element.keyword not in CODES:
            element.value = (
                f"{element.value} {MARK}"[:64] if element.VR == "LO" else f"{MARK}{element.value}"[:16]
            )
    for keyword, value in NAMED.items():
        setattr(header, keyword, value)
    header.RequestAttributesSequence = nested(3)
    block = header.private_block(0x0029, f"{MARK} PRIVATE", create=True)
    block.add_new(0x01, "LO", f"{MARK} private")
    block.add_new(0x02, "SQ", nested(1))
    block.add_new(0x03, "UN", MARK.encode())
    return header


def planted(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.dcm")):
        marked(pydicom.dcmread(path)).save_as(target / f"{MARK}{path.name}")


def misplaced(target: Path) -> None:
    """Names where numbers and dates belong: what libraries complain of loudest."""
    for number, (keyword, kind) in enumerate(
        [("InstanceNumber", "IS"), ("RepetitionTime", "DS"), ("SliceThickness", "DS"), ("StudyDate", "DA")]
    ):
        sets = series(Slab(), Header(study=f"1.2.7.{number}", series=f"1.2.7.{number}.1"))
        for data in sets:
            data.PatientName = f"{MARK}^JANE"
        write(target / keyword, sets)
        for path in (target / keyword).iterdir():
            data = pydicom.dcmread(path)
            data[keyword] = pydicom.DataElement(keyword, "LO", f"{MARK}^JANE")
            data.save_as(path)
            path.write_bytes(
                path.read_bytes().replace(
                    b"LO" + bytes([12, 0]) + MARK.encode(), kind.encode() + bytes([12, 0]) + MARK.encode()
                )
            )


def run_without_network(tmp_path: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command and all its workers where any use of a socket ends the process."""
    guard = tmp_path / "guard"
    guard.mkdir(exist_ok=True)
    (guard / "sitecustomize.py").write_text(NO_SOCKETS)
    environment = os.environ | {"PYTHONPATH": f"{guard}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "lfja_mri", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def contents(folder: Path) -> bytes:
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            data = path.read_bytes()
            parts.append(gzip.decompress(data) if path.suffix == ".gz" else data)
    return b"\n".join(parts)


def assert_nobody_named(text: str | bytes, *allowed: Path) -> None:
    whole = text.decode(errors="replace") if isinstance(text, bytes) else text
    for path in allowed:
        whole = whole.replace(str(path), "")
    assert MARK not in whole
    assert BIRTH not in whole


@pytest.mark.slow
def test_planted_identifiers_appear_nowhere_and_no_socket_is_opened(sample_data, tmp_path):
    """Two studies with pictures and pages, in workers, with a log; one of them has names where numbers belong."""
    planted(sample_data / "baseline", tmp_path / "in" / f"{MARK}_folder")
    misplaced(tmp_path / "in" / "misplaced")
    (tmp_path / "in" / f"{MARK}.txt").write_text(MARK)
    (tmp_path / "salt").write_bytes(b"key")
    out, log = tmp_path / "out", tmp_path / "log.jsonl"
    ended = run_without_network(
        tmp_path, "grade", tmp_path / "in", "--out", out, "--jobs", "2", "--salt-file", tmp_path / "salt",
        "--explain", "L4-L5", "right", "--log-json", log, "--verbose",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert len(list((out / "studies").iterdir())) >= 2
    assert list(out.rglob("*.png"))
    assert_nobody_named(contents(out))
    assert_nobody_named(ended.stdout + ended.stderr)
    assert_nobody_named(log.read_text())


def test_other_commands_name_nobody(tmp_path):
    write(tmp_path / "in", [marked(data) for data in series(Slab())])
    misplaced(tmp_path / "in" / "misplaced")
    for words in (
        ["inspect", "--json"],
        ["inspect"],
        ["ingest", "--out", tmp_path / "nifti"],
        ["locate", "--out", "-"],
    ):
        result = CliRunner().invoke(app, [str(word) for word in (words[0], tmp_path / "in", *words[1:])])
        assert_nobody_named(result.stdout + result.stderr)
    assert_nobody_named(contents(tmp_path / "nifti"))


def explode(_study, _road):
    name = f"{MARK}^JANE"
    raise ValueError(name)


def test_a_bug_in_a_worker_names_nobody(tmp_path, monkeypatch):
    from lfja_mri.batch import tasks

    write(tmp_path / "in", [marked(data) for data in series(Slab())])
    monkeypatch.setattr(tasks, "grade_study", explode)
    words = ["grade", tmp_path / "in", "--out", tmp_path / "out", "--log-json", tmp_path / "log"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == ExitCode.ALL_FAILED
    assert "ValueError" in result.stderr
    assert_nobody_named(result.stdout + result.stderr)
    assert_nobody_named(contents(tmp_path / "out"))
    assert_nobody_named((tmp_path / "log").read_text())


def test_a_study_that_fails_names_nobody(tmp_path):
    header = pydicom.Dataset()
    header.PatientName = f"{MARK}^JANE"
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    (tmp_path / "in").mkdir()
    header.save_as(tmp_path / "in" / f"{MARK}.dcm", enforce_file_format=False)
    result = CliRunner().invoke(app, ["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 4
    assert MARK not in result.output
