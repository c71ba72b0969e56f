import pytest


@pytest.fixture(autouse=True)
def _storage(aws: None) -> None:
    """Pictures go to S3."""
