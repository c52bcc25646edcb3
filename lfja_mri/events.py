"""What happens in a run, said once: the app shows it or writes it down (`--verbose`, `--log-json`).

Facts name studies by key and inputs by position; no name, number or text of a header is ever among them.
"""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("lfja_mri")
LOGGER.addHandler(logging.NullHandler())


def tell(event: str, **facts: object) -> None:
    """Tell whoever listens that something happened."""
    LOGGER.info(event, extra={"facts": facts})
