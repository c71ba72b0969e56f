import pytest

from innotter.accounts.models import User
from innotter.conftest import Api, refusal


@pytest.mark.parametrize("username", ["ann", "ANN"])
def test_anybody_sees_a_user_without_what_is_private(api: Api, ann: User, username: str) -> None:
    answer = api().get(f"/users/{username}")
    assert answer.status_code == 200
    user = answer.json()
    assert user["username"] == "ann"
    assert user.keys() == {
        "id",
        "username",
        "title",
        "image",
        "role",
        "is_blocked",
        "created_at",
    }


@pytest.mark.parametrize("username", ["nobody", "%00", "a%2Fb", "%ED%A0%80", "x" * 500])
def test_an_unknown_user_is_not_found(api: Api, ann: User, username: str) -> None:
    assert refusal(api().get(f"/users/{username}")) == (404, "not_found")
