"""Whole headers of a stack's files, for objects that must refer to their source images."""

from __future__ import annotations

import pydicom
from pydicom.dataset import Dataset

from lfja_mri.errors import InputError, Reason
from lfja_mri.ingest.dataset import PYDICOM_ERRORS, quiet_reading
from lfja_mri.ingest.files import open_each
from lfja_mri.ingest.study import Study


def source_headers(study: Study, image_key: str) -> tuple[Dataset, ...]:
    """Return the headers of the files that a stack is made of, in the order of its planes, pixels left out.

    They carry whatever identifies the patient; nothing but a DICOM object of the same study may be made of them.

    Raises
    ------
    InputError
        The study has no such stack, or a file can no longer be read.
    """
    stack = next((stack for stack in study.stacks if stack.key == image_key), None)
    if stack is None:
        raise InputError(f"the study has no stack {image_key}")
    sources = dict.fromkeys(plane.source for plane in stack.planes)
    headers = {}
    for source, stream in open_each(sources):
        try:
            if stream is None:
                raise EOFError
            with quiet_reading():
                headers[source] = pydicom.dcmread(stream, force=True, stop_before_pixels=True)
        except PYDICOM_ERRORS as error:
            raise InputError(
                f"{source.where} can no longer be read", reason=Reason.UNREADABLE_FILE
            ) from error
    return tuple(headers[source] for source in sources)
