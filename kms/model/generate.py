#!/usr/bin/env python3
"""Turn the API models into C tables: generate.py KMS_MODEL ADMIN_MODEL SERVED OUT.c

Every name of the models becomes a designated entry of an enum value in kms/request.h, so a model
that does not fit the code does not compile.
"""
import json
import re
import sys

TYPES = {"string", "blob", "integer", "boolean", "timestamp", "list", "map", "structure"}


def text(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def op_id(name):
    return "KMS_OP_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def member(name, m):
    kind = m["type"]
    assert kind in TYPES, (name, kind)
    f = [f".name = {text(name)}", f".path = {text(name[0].lower() + name[1:])}", f".type = MODEL_{kind.upper()}"]
    for flag in ("required", "sensitive"):
        if m.get(flag):
            f.append(f".{flag} = true")
    if "min" in m:
        f.append(f".min = {m['min']}")
    f.append(f".max = {m['max']}" if "max" in m else ".max = INT64_MAX")
    f.append(f".item_min = {m.get('itemMin', 0)}")
    f.append(f".item_max = {m['itemMax']}" if "itemMax" in m else ".item_max = INT64_MAX")
    for key, field in (("pattern", "pattern"), ("itemPattern", "item_pattern")):
        if key in m:
            f.append(f".{field} = {text(m[key])}")
    if "enum" in m:
        f.append(f".values = &enum_{m['enum']}")
    struct = m.get("struct") or (m.get("of") if m.get("of") not in (None, "string") else None)
    if struct:
        f.append(f".inner = &struct_{struct}")
    return "    { " + ", ".join(f) + " },"


def struct(out, c_name, members):
    if members:
        out.append(f"static const struct model_member {c_name}_members[] = {{")
        out += [member(n, m) for n, m in members.items()]
        out.append("};")
        out.append(f"static const struct model_struct {c_name} = {{ {c_name}_members, {len(members)} }};")
    else:
        out.append(f"static const struct model_struct {c_name} = {{ NULL, 0 }};")


def reachable(model):
    """Structures that inputs use, inner ones first."""
    order = []

    def visit(members):
        for m in members.values():
            name = m.get("struct") or (m.get("of") if m.get("of") not in (None, "string") else None)
            if name and name not in order:
                visit(model["structures"][name])
                order.append(name)

    for op in model["operations"].values():
        visit(op["input"] or {})
    return order


def op_info(name, op, admin, served):
    members = op["input"] or {}
    on_key = members.get("KeyId", {}).get("required", False)
    forms = "KMS_FORMS_ANY" if op.get("keyIdForms") == "any" else "KMS_FORMS_ID_OR_ARN"
    action = ("qkms:" if admin else "kms:") + name
    flag = lambda v: "true" if v else "false"
    return (f"    [{op_id(name)}] = {{ {text(name)}, {text(action)}, KMS_SERVICE_KMS, {flag(served)}, "
            f"{flag(admin)}, {flag(on_key)}, {forms}, {flag(op.get('dryRun'))} }},")


def main():
    kms, admin = (json.load(open(p, encoding="utf-8")) for p in sys.argv[1:3])
    served = set(open(sys.argv[3], encoding="utf-8").read().split())
    assert served <= set(kms["operations"]), served - set(kms["operations"])
    out = ["/* Made by kms/model/generate.py from the API models. */", '#include "model.h"', ""]
    for model in (kms, admin):
        for name, values in model["enums"].items():
            out.append(f"static const char *const enum_{name}_values[] = {{ {', '.join(map(text, values))} }};")
            out.append(f"static const struct model_enum enum_{name} __attribute__((unused)) = "
                       f"{{ enum_{name}_values, {len(values)} }};")
        for name in reachable(model):
            struct(out, "struct_" + name, model["structures"][name])
        for name, op in model["operations"].items():
            struct(out, "input_" + name, op["input"] or {})
    out.append("const struct model_struct *const kms_model_inputs[KMS_OP_COUNT] = {")
    for model in (kms, admin):
        out += [f"    [{op_id(n)}] = &input_{n}," for n in model["operations"]]
    out += ["};", "const struct kms_op_info kms_model_ops[KMS_OP_COUNT] = {"]
    out += [op_info(n, op, False, n in served) for n, op in kms["operations"].items()]
    out += [op_info(n, op, True, True) for n, op in admin["operations"].items()]
    out.append('    [KMS_OP_GET_CALLER_IDENTITY] = { "GetCallerIdentity", "sts:GetCallerIdentity", '
               "KMS_SERVICE_STS, true, false, false, KMS_FORMS_ANY, false },")
    out.append("};")
    with open(sys.argv[4], "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


main()
