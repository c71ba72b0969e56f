"""The core's settings for mypy's plugins, which import them: however mypy is started."""

import os

from dev.offline import ENVIRONMENT

os.environ.update(ENVIRONMENT)

from innotter.config.settings import *  # noqa: F403 # after the environment
