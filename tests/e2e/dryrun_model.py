"""dryrun_model.py FOLDER PACKAGE: the KMS model of this botocore with DryRun on Sign and Verify (of July
2023), where AWS_DATA_PATH=FOLDER makes the client find it before its own."""
import importlib
import json
import os
import sys

folder, package = sys.argv[1:]
source = os.path.join(os.path.dirname(importlib.import_module(package).__file__), "data/kms/2014-11-01/service-2.json")
with open(source, encoding="utf-8") as file:
    model = json.load(file)
shapes = model["shapes"]
shapes["DryRunOperationException"] = {"type": "structure", "exception": True, "members": {"message": {"shape": "ErrorMessageType"}}}
for operation in ("Sign", "Verify"):
    model["operations"][operation]["errors"].append({"shape": "DryRunOperationException"})
    shapes[operation + "Request"]["members"]["DryRun"] = {"shape": "NullableBooleanType"}
shapes["NullableBooleanType"] = {"type": "boolean", "box": True}
target = os.path.join(folder, "kms/2014-11-01")
os.makedirs(target)
with open(os.path.join(target, "service-2.json"), "w", encoding="utf-8") as file:
    json.dump(model, file)
