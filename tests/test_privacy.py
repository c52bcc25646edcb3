"""Nothing that names a person leaves the header: marked values planted in every text element appear nowhere."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from typer.testing import CliRunner

from lfja_mri.app import app

MARK = "ZQXMARK"
FREE_TEXT = {"SH", "LO", "ST", "LT", "UT", "PN", "UC"}
KEPT = {"SeriesDescription", "ScanningSequence", "ImageType", "ScanOptions", "SequenceName"}
NAMED = {
    "PatientName": f"{MARK}^JANE",
    "PatientID": f"{MARK}-4711",
    "PatientBirthDate": "19630427",
    "PatientAddress": f"{MARK} street",
    "InstitutionName": f"{MARK} hospital",
    "ReferringPhysicianName": f"{MARK}^DOCTOR",
    "StudyDescription": f"{MARK} back pain",
    "PatientComments": f"{MARK} comment",
    "AccessionNumber": f"{MARK}1",
    "OperatorsName": f"{MARK}^OPERATOR",
    "StationName": MARK,
    "StudyID": MARK,
}


def planted(source: Path, target: Path) -> None:
    for path in sorted(source.glob("*.dcm")):
        header = pydicom.dcmread(path)
        for keyword, value in NAMED.items():
            setattr(header, keyword, value)
        for element in header:
            if element.VR in FREE_TEXT and element.keyword not in KEPT and element.keyword not in NAMED:
                element.value = f"{MARK}{element.value}"[:16]
        inner = Dataset()
        inner.PatientName = f"{MARK}^NESTED"
        inner.ReferencedSOPInstanceUID = "1.2.3"
        header.RequestAttributesSequence = Sequence([inner])
        block = header.private_block(0x0029, f"{MARK} PRIVATE", create=True)
        block.add_new(0x01, "LO", f"{MARK} private")
        target.mkdir(parents=True, exist_ok=True)
        header.save_as(target / path.name)


def contents(folder: Path) -> bytes:
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            data = path.read_bytes()
            parts.append(gzip.decompress(data) if path.suffix == ".gz" else data)
    return b"\n".join(parts)


@pytest.mark.slow
def test_planted_identifiers_appear_nowhere_and_no_socket_is_opened(sample_data, tmp_path, monkeypatch):
    planted(sample_data / "baseline", tmp_path / "in" / f"{MARK}_folder")
    (tmp_path / "in" / f"{MARK}.txt").write_text(MARK)

    def refuse(*_args, **_kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    (tmp_path / "salt").write_bytes(b"key")
    out = tmp_path / "out"
    words = [
        "grade",
        tmp_path / "in",
        "--out",
        out,
        "--salt-file",
        tmp_path / "salt",
        "--explain",
        "L4-L5",
        "right",
    ]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    written = contents(out)
    assert MARK.encode() not in written
    assert b"19630427" not in written
    assert MARK not in (result.stdout + result.stderr).replace(str(tmp_path / "in"), "")


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
