"""Rewrite the pages of the docs that only repeat what the code says: the rule table and the codes."""

from __future__ import annotations

from pathlib import Path

from lfja_mri.grading import load_rules, rules_in_words
from lfja_mri.report.glossary import codes_page

DOCS = Path(__file__).resolve().parent.parent / "docs"


def rules_page() -> str:
    """Return `docs/rules.md`: what `lfja-mri rules` prints."""
    return (
        "# Rule table\n\nWhat `lfja-mri rules` prints, for a clinician to read and sign. Worst first, the first rule that holds decides; a measure that is missing "
        "is never read as normal. Written by `make golden`; the rules themselves are data in `configs/grading/`.\n\n"
        f"```text\n{rules_in_words(load_rules())}\n```\n\n"
        "Other thresholds: copy `configs/grading/czervionke_fenton.toml`, change it, and judge an archive again without its images:\n\n"
        "```sh\nlfja-mri rules my_rules.toml\nlfja-mri regrade graded --config my_rules.toml --out regraded.csv\n```\n"
    )


def pages() -> dict[str, str]:
    """Return every such page by file name."""
    return {"rules.md": rules_page(), "codes.md": codes_page()}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
