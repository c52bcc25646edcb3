"""Install what users install into an empty environment, and run the tests from outside the source tree.

python -m benchmarks.packages wheel     # newest dependencies
python -m benchmarks.packages floor     # the lowest versions that pyproject.toml promises

The wheel is built from the sdist, so one run judges both. Tests run in a bare folder that holds the tests and the sample
case but not the package: what they import is what was installed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BESIDE_TESTS = ("tests", "sample_data", "docs", "benchmarks", "training", "pyproject.toml", "README.md", "CHANGELOG.md",
                "CONTRIBUTING.md", "CITATION.cff", "mkdocs.yml", "Makefile")  # fmt: skip
LOWER_BOUND = re.compile(r"^([A-Za-z0-9_.-]+)\s*>=\s*([0-9][^,;\s]*)")
EXTRAS = "[cluster,dicom,parquet]"


def main() -> None:
    """Build, install, test; exit with the tests' own code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", choices=("wheel", "floor"))
    parser.add_argument("tests", nargs="*", default=["-m", "not slow", "-q"], help="arguments for pytest")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lfja-packages-") as folder:
        sys.exit(judge(Path(folder), asked.versions, asked.tests))


def judge(folder: Path, versions: str, arguments: list[str]) -> int:
    """Return pytest's exit code in an environment of its own."""
    wheel = build(folder)
    python = environment(folder / "empty")
    floors = lower_bounds() if versions == "floor" else []
    limits = folder / "limits.txt"
    limits.write_text("\n".join(floors) + "\n", encoding="utf-8")
    install(python, f"{wheel}{EXTRAS}", "--group", f"{ROOT / 'pyproject.toml'}:test", "-c", str(limits))
    bare = bare_folder(folder / "outside")
    run(python, "-c", f"import lfja_mri, sys; assert {str(folder)!r} in lfja_mri.__file__", cwd=bare)
    print(f"installed {wheel.name}; {len(floors)} dependencies held at their lower bound")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if versions == "floor":
        clean["LFJA_LIBRARIES"] = "other"  # golden numbers then need not be the same to the last digit
    old_warnings = (
        ["-W", "default"] if versions == "floor" else []
    )  # old libraries use what newer ones deprecate
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *old_warnings, *arguments]
    return subprocess.run(command, cwd=bare, env=clean, check=False).returncode


def build(folder: Path) -> Path:
    """Build the sdist, and the wheel from it; return the wheel."""
    python = environment(folder / "builder")
    install(python, "build")
    run(python, "-m", "build", "--outdir", str(folder / "dist"), str(ROOT))
    return next((folder / "dist").glob("*.whl"))


def lower_bounds() -> list[str]:
    """Return `name==lowest` for every dependency of the product and its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    stated = [*project["dependencies"], *(one for extra in extras for one in extra)]
    found = [LOWER_BOUND.match(one) for one in stated]
    if not all(found):
        raise SystemExit(f"a dependency without a lower bound: {stated[found.index(None)]}")
    return sorted({f"{match[1]}=={match[2]}" for match in found if match})


def bare_folder(folder: Path) -> Path:
    """Copy the tests and what they read beside them, but not the package."""
    folder.mkdir()
    for name in BESIDE_TESTS:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / name)
    return folder


def environment(folder: Path) -> Path:
    """Make an empty virtual environment and return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    install(python, "--upgrade", "pip>=25.1")
    return python


def install(python: Path, *words: str) -> None:
    """Install with pip, quietly."""
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words)


def run(python: Path, *words: str, cwd: Path | None = None) -> None:
    """Run an interpreter of another environment; a failure ends the run."""
    done = subprocess.run([str(python), *words], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


if __name__ == "__main__":
    main()
