"""Every command block of the README and the docs runs as it stands, in the order of its page."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from lfja_mri.config import config_folder

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    ((?:lfja-mri|dask|mkdir) .*)$", re.MULTILINE)
PAGES = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
LINKS = {
    "STUDY": "baseline",
    "BASELINE": "baseline",
    "ONE_YEAR": "one_year",
    "baseline": "baseline",
    "one_year": "one_year",
    "dicom/a17": "baseline",
    "dicom/b03": "one_year",
}
SERVICES = ("dask scheduler", "dask worker")
SECONDS = 900
START_S = 8


def commands(page: str) -> list[str]:
    """Lines of the page's shell blocks; the README's are indented."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = [line for block in BLOCK.findall(text) for line in block.splitlines() if line.strip()]
    return [line.strip() for line in (*blocks, *INDENTED.findall(text)) if not line.lstrip().startswith("#")]


@pytest.fixture(scope="session")
def workplace(tmp_path_factory) -> Path:
    """What the pages speak of: studies under several names, a graded archive, a manifest, marks, a rules file."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    for name, visit in LINKS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / "sample_data" / visit)
    # an archive holds studies, not links: links that lead out of an input are refused
    shutil.copytree(ROOT / "sample_data" / "baseline", folder / "archive" / "a17")
    (folder / "studies.txt").write_text("STUDY\n", encoding="utf-8")
    for name in ("my_rules.toml", "new_rules.toml"):
        shutil.copy(config_folder() / "grading" / "czervionke_fenton.toml", folder / name)
    (folder / "trial.csv").write_text(
        "subject,visit,path\nS01,baseline,dicom/a17\nS01,12 months,dicom/b03\n", encoding="utf-8"
    )
    repeats = (
        "subject,first,second\nS01,dicom/a17,dicom/b03\nS02,dicom/b03,dicom/a17\n"  # twenty joints are needed
    )
    (folder / "pairs.csv").write_text(repeats, encoding="utf-8")
    execute("lfja-mri grade sample_data/baseline --out graded --quiet", folder)
    shutil.copytree(folder / "graded", folder / "out" / "1")  # as an array task leaves it
    study = next((folder / "graded" / "studies").glob("[!.]*")).name
    head = "subject,visit,study_key,level,side,mark,grade,reason,reader"
    (folder / "marks.csv").write_text(
        f"{head}\n,,{study},L4-L5,right,other_grade,3,seen,R1\n", encoding="utf-8"
    )
    sheet = "item,grade,not_assessable,reason,reader\n001,1,,,R1\n002,0,,,R1\n"
    (folder / "filled.csv").write_text(sheet, encoding="utf-8")
    return folder


def execute(line: str, folder: Path, **variables: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def localised(line: str, port: int) -> str:
    """Put this machine and the workplace where the page names a cluster's."""
    for word, mine in (("tcp://head:8786", f"tcp://127.0.0.1:{port}"), ("--port 8786", f"--port {port}")):
        line = line.replace(word, mine)
    line = line.replace("--nworkers 8", "--nworkers 1").replace("--jobs 8", "--jobs 1")
    return re.sub(r"(?<=\s)/(archive|results)\b", r"\1", line)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_every_command_of_a_page_runs(workplace, page):
    port = free_port()
    services = []
    variables = {"STUDY": "STUDY", "SLURM_ARRAY_TASK_ID": "1", "ID": "1"}
    try:
        for line in commands(page):
            asked = localised(line, port)
            if asked.startswith(SERVICES):
                command = [str(Path(sys.executable).parent / "dask"), *asked.split()[1:]]
                services.append(subprocess.Popen(command, cwd=workplace, stderr=subprocess.DEVNULL))
                time.sleep(START_S)
                assert services[-1].poll() is None, f"{line} ended at once"
            else:
                execute(asked, workplace, **variables)
    finally:
        for service in reversed(services):
            service.terminate()
            service.wait(timeout=60)


def test_pages_with_commands_are_found():
    assert len(commands("README.md")) >= 5
    assert len(commands("docs/tutorial.md")) >= 6


@pytest.mark.parametrize("page", PAGES)
def test_no_block_escapes_the_tests(page):
    """A command stands in a block that is run: never in one without a language, where nobody would notice its decay."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language not in {"sh", "python", "r"}:
            assert not re.search(r"^lfja-mri ", block, re.MULTILINE), block


@pytest.mark.slow
def test_make_demo_ends_in_the_published_tables(tmp_path):
    """What the README's first command runs, as the Makefile has it, in a folder that holds the sample case alone."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ndemo:")[1].splitlines()[1:4]
    lines = [line.strip().removeprefix("$(BIN)/") for line in recipe]
    assert all(line.startswith("lfja-mri ") for line in lines)
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    for line in lines:
        execute(line, tmp_path)
    golden = ROOT / "sample_data" / "golden"
    assert (tmp_path / "demo_output/change.csv").read_text() == (golden / "change.csv").read_text()
    rows = [(tmp_path / f"demo_output/{visit}/grades.csv").read_text() for visit in ("baseline", "one_year")]
    head, *graded = (golden / "grades.csv").read_text().splitlines()
    assert [text.splitlines()[0] for text in rows] == [head, head]
    assert sorted(graded) == sorted(line for text in rows for line in text.splitlines()[1:])
