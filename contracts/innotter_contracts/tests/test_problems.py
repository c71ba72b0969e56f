from innotter_contracts.problems import challenge, problem


def test_a_problem_names_its_status_its_code_and_its_reason() -> None:
    assert problem(404, "not_found", "There is no such page.") == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such page.",
        "code": "not_found",
    }


def test_bad_input_lists_its_fields_and_nothing_else_does() -> None:
    errors = problem(400, "invalid", "No.", errors=[{"field": "to", "code": "x", "detail": "y"}])
    assert errors["errors"] == [{"field": "to", "code": "x", "detail": "y"}]
    assert problem(400, "invalid", "No.")["errors"] == []
    assert "errors" not in problem(409, "conflict", "No.")


def test_a_challenge_tells_a_bad_token_from_none() -> None:
    assert challenge() == 'Bearer realm="innotter"'
    assert 'error="invalid_token"' in challenge("The token has expired.")
