"""A wrong password is not waited for: each process that needs the broker ends with one line."""

import json
import os
import subprocess
from urllib.parse import urlsplit

import pytest

from dev.stack import command as command_of


@pytest.mark.parametrize("name", ["relay", "worker", "scheduler", "consumer"])
def test_a_broker_that_refuses_the_password_ends_the_process(all_services: None, name: str) -> None:
    broker = urlsplit(os.environ["AMQP_URL"])
    wrong = f"amqp://{broker.username}:wrong@{broker.hostname}:{broker.port}{broker.path}"
    env = {**os.environ, "AMQP_URL": wrong, "LOG_STYLE": "json"}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    command = command_of([name], ports={})
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    *_, line = done.stdout.splitlines()
    assert json.loads(line)["event"] == "broker_refuses"
    assert "Traceback" not in done.stderr
    assert "wrong" not in line + done.stderr
