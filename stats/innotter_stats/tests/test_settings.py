from pathlib import Path

import pytest

from innotter_stats.settings import Settings, load


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_nothing_needs_to_be_set_for_development() -> None:
    settings = load()
    assert settings.innotter_env == "development"
    assert settings.jwks_url == "http://localhost:8000/.well-known/jwks.json"


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORE_URL", "https://innotter.example/")
    monkeypatch.setenv("STATISTICS_TABLE", "numbers")
    settings = load()
    # Exactly what the core writes into its tokens: no slash at the end.
    assert settings.core_url == "https://innotter.example"
    assert settings.jwks_url == "https://innotter.example/.well-known/jwks.json"
    assert settings.statistics_table == "numbers"


def test_the_core_may_be_reached_at_another_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWKS_URL", "http://core:8000/.well-known/jwks.json")
    assert load().jwks_url == "http://core:8000/.well-known/jwks.json"


def test_a_dotenv_file_fills_in_what_the_environment_leaves_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Set and deleted, so that what load() puts there is taken back after the test.
    monkeypatch.setenv("STATISTICS_TABLE", "")
    monkeypatch.delenv("STATISTICS_TABLE")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    Path(".env").write_text("STATISTICS_TABLE=from-file\nLOG_LEVEL=DEBUG\nSECRET_KEY=the-cores\n")
    settings = load()
    assert (settings.statistics_table, settings.log_level) == ("from-file", "ERROR")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INNOTTER_ENV", "staging"),
        ("LOG_STYLE", "xml"),
        ("LOG_LEVEL", "LOUD"),
        ("CORE_URL", "localhost:8000"),
        ("CORE_URL", "ftp://localhost"),
        ("JWKS_URL", "file:///etc/passwd"),
        ("STATISTICS_TABLE", "no spaces"),
        ("STATISTICS_TABLE", ""),
        ("AMQP_URL", "redis://localhost"),
        ("CONSUMER_BATCH_SIZE", "0"),
        ("CONSUMER_BATCH_SIZE", "many"),
        ("CONSUMER_BATCH_WAIT", "-1"),
        ("CONSUMER_PREFETCH", "100000"),
    ],
)
def test_nonsense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=name):
        load()


def test_a_batch_that_could_never_fill_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUMER_BATCH_SIZE", "200")
    monkeypatch.setenv("CONSUMER_PREFETCH", "100")
    with pytest.raises(SystemExit, match="CONSUMER_PREFETCH"):
        load()


def test_production_does_not_start_with_the_brokers_well_known_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INNOTTER_ENV", "production")
    with pytest.raises(SystemExit, match="AMQP_URL"):
        load()
    monkeypatch.setenv("AMQP_URL", "amqp://stats:better@broker:5672/innotter")
    assert load().innotter_env == "production"


def test_the_brokers_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMQP_URL", "amqp://stats:hunter2@broker/v")
    assert "hunter2" not in repr(load())
    monkeypatch.setenv("AMQP_URL", "http://stats:hunter2@broker")
    for read in (load, Settings):
        with pytest.raises((SystemExit, ValueError), match="amqp://user:password") as refusal:
            read()
        assert "hunter2" not in str(refusal.value)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().statistics_table = "other"  # type: ignore[misc]
