"""The functions of lambdas/ on an emulator of AWS: deployed from the template that AWS is given.

`python -m dev.functions` puts them on the emulator of a running `make run` and shows how to ask.
"""

import io
import json
import os
import sys
import sysconfig
import uuid
import zipfile
from typing import NamedTuple

import boto3

from dev import settings, tools
from dev.paths import ROOT

TEMPLATE = ROOT / "deploy" / "aws" / "lambdas.yaml"
FOLDERS = ("accept_csv", "store_csv")
EMULATED = boto3.Session(
    aws_access_key_id="test",
    aws_secret_access_key="test",  # noqa: S106
    region_name="us-east-1",
)


class Functions(NamedTuple):
    """Where they are: what the template puts out, and the key of the API."""

    url: str
    key: str
    bucket: str
    table: str


def deploy(session: boto3.Session, endpoint: str, stack: str) -> Functions:
    """Does what `sam build` and `sam deploy` do, but for the packages: the functions import
    those of this environment, which their requirements were written from.
    """
    _upload_code(session, endpoint, stack)
    cloudformation = session.client("cloudformation", endpoint_url=endpoint)
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=_expanded(stack),
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1}
    )
    [made] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in made["Outputs"]}
    gateway = session.client("apigateway", endpoint_url=endpoint)
    key = gateway.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
    return Functions(
        # The emulator answers for all hosts at one URL.
        url=f"{endpoint}/restapis/{outputs['ApiId']}/v1/_user_request_/files",
        key=key,
        bucket=outputs["Bucket"],
        table=outputs["Table"],
    )


def _upload_code(session: boto3.Session, endpoint: str, bucket: str) -> None:
    s3 = session.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket=bucket)
    for name in FOLDERS:
        folder = ROOT / "lambdas" / name
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            for file in sorted((folder / name).glob("*.py")):
                archive.write(file, file.relative_to(folder))
        s3.put_object(Bucket=bucket, Key=f"{name}.zip", Body=code.getvalue())


def _expanded(bucket: str) -> str:
    packages = sysconfig.get_path("purelib")
    return tools.run(
        [str(tools.sam()), str(ROOT / "dev" / "sam.py"), str(TEMPLATE), bucket, packages],
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
    )


def main() -> int:
    given = settings.given()
    endpoint = given.get("AWS_ENDPOINT_URL")
    if endpoint is None:
        print("Name the emulator in AWS_ENDPOINT_URL; `make run` has printed its URL.")
        return 1
    functions = deploy(EMULATED, endpoint, f"innotter-csv-{uuid.uuid4().hex[:8]}")
    print(json.dumps(functions._asdict(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
