"""What services refuse is said in the person's language, whatever it is."""

from collections.abc import Iterator

from django.utils import translation

from innotter.common.errors import DomainError, Throttled
from innotter.config import reactions, urls  # noqa: F401 # they import whatever raises an error
from innotter.pages.names import UuidTaken
from innotter.web.refusals import KNOWN, NUMBER, in_words

# Nobody meets them on a form: programs alone send what they refuse, the panel is for operators, and
# maintenance has a page of its own.
NOT_ON_FORMS = {
    "Invalid refresh token. Log in again.",
    "Not signed by Amazon SNS, or from an unknown topic.",
    "RabbitMQ does not answer.",
    "The DNS does not answer.",
    "Read-only for maintenance.",
    "The signing keys are unavailable.",
}


def kinds(of: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_refusal_has_its_words() -> None:
    ours = [kind for kind in kinds() if kind.__module__.startswith("innotter.")]
    details = {NUMBER.sub("%s", kind.detail) for kind in ours if ".tests." not in kind.__module__}
    assert len(details) > len(NOT_ON_FORMS)
    assert details - NOT_ON_FORMS <= KNOWN


def test_each_is_translated_and_keeps_its_numbers() -> None:
    with translation.override("ru"):
        for text in KNOWN:
            error = Throttled(1)
            error.args = (text.replace("%s", "12"),)
            said = in_words(error)
            assert said != str(error), text
            assert said.count("12") == text.count("%s")


def test_a_form_says_address_where_the_api_says_uuid() -> None:
    assert in_words(UuidTaken()) == "This address is taken."
