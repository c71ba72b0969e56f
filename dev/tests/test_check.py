"""`make check ARGS=…`."""

import pytest

from dev import check


def test_one_check_runs_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    names = ["types", "style", "style of compose"]
    checks = [(name, lambda env, name=name: ran.append(name)) for name in names]
    monkeypatch.setattr(check, "_checks", lambda: checks)
    assert check.main(["sty"]) == 0
    assert sorted(ran) == ["style", "style of compose"]
    assert check.main(["style", "tipes"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("No check is called tipes. There are: types, style")
    assert len(ran) == 2
