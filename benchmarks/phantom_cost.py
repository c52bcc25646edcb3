"""What a full phantom study costs: made as DICOM by a process of its own, whose time and memory are then read.

The process tells its peak of memory itself (`VmHWM`): the figure that its parent could ask for (`ru_maxrss`) starts from the
parent's own peak, which is large after other topics.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row

RECIPE, SEED = "routine_clinical", 10000
MOST_SECONDS, MOST_MIB = 60, 3072
COMMAND = (
    "import sys; from pathlib import Path; from lfja_mri.phantom import generate_study, load_recipe; "
    f"generate_study(load_recipe('{RECIPE}'), {SEED}, Path(sys.argv[1])); "
    "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
)


def cost_rows() -> list[Row]:
    """Return seconds and memory of one full study, written as DICOM."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", COMMAND, folder], stdout=subprocess.PIPE, text=True)
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        files = sum(1 for _ in Path(folder).rglob("*.dcm"))
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return [Row("phantom: a full study", "not made", "-", False, f"{RECIPE} {SEED}")]
    mib = int(said) / 1024
    data = f"{RECIPE}, seed {SEED}: {files} slices as DICOM, one process, {os.cpu_count()} cores"
    spent = usage.ru_utime + usage.ru_stime
    return [
        Row(
            "phantom: seconds a full study",
            f"{seconds:.0f} ({spent:.0f} of processor)",
            f"<= {MOST_SECONDS}",
            seconds <= MOST_SECONDS,
            data,
        ),
        Row("phantom: memory of a full study, MiB", f"{mib:.0f}", f"<= {MOST_MIB}", mib <= MOST_MIB, data),
    ]
