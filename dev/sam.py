"""Expands a SAM template as AWS does, and prints plain CloudFormation as JSON.

Run by the Python of the environment of cfn-lint, which brings SAM's translator:
`python dev/sam.py TEMPLATE BUCKET PYTHONPATH`. What the `sam` command would upload is expected in
the bucket, a ZIP a function, under the name of its folder.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


def main(file: str, bucket: str, pythonpath: str) -> None:
    template = yaml_parse(Path(file).read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            folder = Path(properties["CodeUri"]).name
            properties["CodeUri"] = f"s3://{bucket}/{folder}.zip"
            # In the place of the packages that `sam build` would put beside the code.
            properties["Environment"]["Variables"]["PYTHONPATH"] = pythonpath
    # No managed policies are named in our templates.
    expanded = transform(template, {}, SimpleNamespace(load=dict))
    for resource in expanded["Resources"].values():
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            # The emulator does not know that slashes are escaped there.
            types = resource["Properties"]["BinaryMediaTypes"]
            types[:] = [each.replace("~1", "/") for each in types]
    print(json.dumps(expanded))


main(*sys.argv[1:])
