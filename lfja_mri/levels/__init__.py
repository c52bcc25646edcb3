"""Sagittal images to named lumbar discs: network, sequence, numbering, frames, external masks."""

from __future__ import annotations

from lfja_mri.levels.locate import locate

__all__ = ["locate"]
