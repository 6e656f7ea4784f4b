"""newer_model.py FOLDER PACKAGE: the KMS model of this botocore with what KMS has learned since, taken
from our own model (kms/model): DryRun, Recipient, rotation on demand. AWS_DATA_PATH=FOLDER makes the
client find it before its own, as if `aws configure add-model` had installed it."""
import importlib
import json
import os
import sys

folder, package = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
theirs = os.path.join(os.path.dirname(importlib.import_module(package).__file__), "data/kms/2014-11-01/service-2.json")
with open(theirs, encoding="utf-8") as file:
    model = json.load(file)
with open(os.path.join(here, "../../kms/model/kms-api-model.json"), encoding="utf-8") as file:
    ours = json.load(file)
shapes = model["shapes"]


def shape_of(member):
    """The name of a shape for this member; it is made if there is none."""
    kind = member["type"]
    if kind == "structure":
        return structure(member["struct"], ours["structures"][member["struct"]])
    if kind == "list":
        item = member["of"]
        name = f"Newer{item}List"
        inner = structure(item, ours["structures"][item]) if item in ours["structures"] else shape_of({"type": item})
        shapes.setdefault(name, {"type": "list", "member": {"shape": inner}})
        return name
    name = "Newer" + kind.capitalize()
    shapes.setdefault(name, {"type": kind})
    return name


def structure(name, members):
    shape = shapes.setdefault(name, {"type": "structure", "members": {}})
    for key, member in members.items():
        if key not in shape["members"]:
            shape["members"][key] = {"shape": shape_of(member)}
    return name


for name, members in ours["structures"].items():
    structure(name, members)
for name, operation in ours["operations"].items():
    theirs = model["operations"].setdefault(name, {"name": name, "http": {"method": "POST", "requestUri": "/"}})
    for way, suffix in (("input", "Request"), ("output", "Response")):
        if operation[way] is None:
            continue
        theirs.setdefault(way, {"shape": name + suffix})
        structure(theirs[way]["shape"], {k: m for k, m in operation[way].items() if m["type"] != "map"})
    if "input" in theirs:
        shapes[theirs["input"]["shape"]]["required"] = [k for k, m in operation["input"].items() if m.get("required")]
target = os.path.join(folder, "kms/2014-11-01")
os.makedirs(target, exist_ok=True)
with open(os.path.join(target, "service-2.json"), "w", encoding="utf-8") as file:
    json.dump(model, file)
