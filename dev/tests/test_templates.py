"""deploy/aws/innotter.yaml, made by the emulator: is it what the services expect?"""

import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dev.paths import ROOT
from innotter_stats.store import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = ROOT / "deploy" / "aws" / "innotter.yaml"

type Outputs = dict[str, str]


@pytest.fixture(scope="module")
def outputs(aws: None) -> Iterator[Outputs]:
    cloudformation = boto3.client("cloudformation")
    stack = f"innotter-{uuid.uuid4().hex[:8]}"
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=TEMPLATE.read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": "MailIdentity", "ParameterValue": f"{stack}.example.com"},
            {"ParameterKey": "FeedbackUrl", "ParameterValue": "https://innotter.example.com/sns"},
        ],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1}
    )
    [made] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    yield {each["OutputKey"]: each["OutputValue"] for each in made["Outputs"]}
    cloudformation.delete_stack(StackName=stack)


def described(dynamodb: "DynamoDBClient", name: str) -> Any:
    table = dynamodb.describe_table(TableName=name)["Table"]
    return (
        table["KeySchema"],
        table["AttributeDefinitions"],
        table["BillingModeSummary"]["BillingMode"],
        table.get("GlobalSecondaryIndexes"),
    )


def test_the_table_is_the_one_that_the_service_would_make(outputs: Outputs) -> None:
    dynamodb = boto3.client("dynamodb")
    own = f"test-{uuid.uuid4()}"
    create_table(dynamodb, own)
    try:
        assert described(dynamodb, outputs["StatisticsTable"]) == described(dynamodb, own)
        expiry = dynamodb.describe_time_to_live(TableName=own)["TimeToLiveDescription"]
    finally:
        dynamodb.delete_table(TableName=own)
    # The emulator's CloudFormation leaves these out.
    text = TEMPLATE.read_text()
    assert f"{{AttributeName: {expiry['AttributeName']}, Enabled: true}}" in text
    assert "{PointInTimeRecoveryEnabled: true}" in text


ACTIONS = {
    "CoreRole": {"s3:PutObject", "s3:GetObject"},
    "WorkerRole": {
        "ses:GetAccount",
        "ses:GetEmailIdentity",
        "ses:SendBulkEmail",
        "ses:SendEmail",
    },
    "HousekeeperRole": {
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    },
    "StatisticsApiRole": {"dynamodb:GetItem", "dynamodb:Query"},
    "ConsumerRole": {
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    },
    "AuditorRole": {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"},
}
# These know no resources.
EVERYWHERE = {"ses:GetAccount"}


@pytest.mark.parametrize("role", ACTIONS)
def test_a_process_may_do_what_it_does_and_nothing_else(role: str, outputs: Outputs) -> None:
    iam = boto3.client("iam")
    [policy] = iam.list_role_policies(RoleName=outputs[role])["PolicyNames"]
    document: Any = iam.get_role_policy(RoleName=outputs[role], PolicyName=policy)["PolicyDocument"]
    allowed: set[str] = set()
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        actions = {actions} if isinstance(actions, str) else set(actions)
        assert statement["Resource"] != "*" or actions <= EVERYWHERE
        allowed |= actions
    assert allowed == ACTIONS[role]
    assert not iam.list_attached_role_policies(RoleName=outputs[role])["AttachedPolicies"]


def test_pictures_are_read_through_the_cdn_alone(outputs: Outputs) -> None:
    s3 = boto3.client("s3")
    bucket = outputs["MediaBucket"]
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    allowed = [each for each in policy["Statement"] if each["Effect"] == "Allow"]
    assert [each["Principal"] for each in allowed] == [{"Service": "cloudfront.amazonaws.com"}]
    assert outputs["MediaUrl"].startswith("https://")
    assert outputs["MediaUrl"].endswith("/")


def test_bounces_and_complaints_come_to_the_topic(outputs: Outputs) -> None:
    ses = boto3.client("sesv2")
    stack = outputs["FeedbackTopic"].split(":")[-1].split("-Feedback")[0]
    sender = ses.get_email_identity(EmailIdentity=f"{stack}.example.com")
    settings = sender["ConfigurationSetName"]
    destinations = ses.get_configuration_set_event_destinations(ConfigurationSetName=settings)
    [destination] = destinations["EventDestinations"]
    assert {kind.upper() for kind in destination["MatchingEventTypes"]} == {"BOUNCE", "COMPLAINT"}
    assert destination["SnsDestination"]["TopicArn"] == outputs["FeedbackTopic"]
    sns = boto3.client("sns")
    answer = sns.list_subscriptions_by_topic(TopicArn=outputs["FeedbackTopic"])
    [subscription] = answer["Subscriptions"]
    assert subscription["Endpoint"] == "https://innotter.example.com/sns"


def test_nobody_reads_what_people_take_along() -> None:
    """In the template, because the emulator answers anybody."""
    bucket = TEMPLATE.read_text().split("\n  Exports:\n")[1].split("\n  ExportsPolicy:\n")[0]
    for block in (
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    ):
        assert f"{block}: true" in bucket
    # Ids of the deleted do not expire.
    assert "Prefix: exports/, ExpirationInDays" in bucket
