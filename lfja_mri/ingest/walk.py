"""Every file below an input, and what is no file to open: links that lead out, pipes, devices, locked folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lfja_mri.errors import Reason

Refusal = tuple[Reason, str]

NOT_PLAIN: Refusal = (Reason.NOT_A_PLAIN_FILE, "a pipe, socket or device, not a file")
LOCKED: Refusal = (Reason.UNREADABLE_FILE, "a folder that cannot be opened")
BROKEN_LINK: Refusal = (Reason.UNREADABLE_FILE, "a link that leads nowhere or in a circle")
LINK_OUT: Refusal = (
    Reason.OUTSIDE_FOLDER,
    "a link that leads out of the input; name its target as an input of its own",
)


def files_below(given: Path) -> Iterator[tuple[Path, Refusal | None]]:
    """List what lies below an input, each with the reason why it must not be opened, if there is one.

    A DICOMDIR stands for the folder that holds it. Folder by folder without recursion: a tree may be deeper than the
    stack.
    """
    root = given.resolve()
    if root.is_file() and root.name.upper() == "DICOMDIR":
        root = root.parent
    if not root.is_dir():
        if root.exists():
            yield root, None if root.is_file() else NOT_PLAIN
        return
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                inside = list(listed)
        except OSError:
            yield folder, LOCKED
            continue
        for one in inside:
            if one.is_symlink():
                yield from _linked(Path(one.path), root)
            elif one.is_dir(follow_symlinks=False):
                waiting.append(Path(one.path))
            else:
                yield Path(one.path), None if one.is_file(follow_symlinks=False) else NOT_PLAIN


def _linked(link: Path, root: Path) -> Iterator[tuple[Path, Refusal | None]]:
    """Follow a link to a file inside the input; what a link to a folder inside holds is listed where it lies."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        yield link, BROKEN_LINK
        return
    if not target.is_relative_to(root):
        yield link, LINK_OUT
    elif not target.is_dir():
        yield link, None if target.is_file() else NOT_PLAIN
