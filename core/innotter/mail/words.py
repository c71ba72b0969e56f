"""What mails and their pages say to a reader, in each language that a user may choose."""

from innotter.accounts.models import User

type Words = dict[str, str]

WORDS: dict[str, Words] = {
    User.Language.ENGLISH: {
        "one_post": "{name}: new post",
        "many_posts": "{name}: new posts ({count})",
        "open": "Open the post",
        "why": "You get this mail because you follow this page.",
        "stop_title": "Stop the mails?",
        "stop_text": "You will get no more e-mail about this page. You go on following it.",
        "stop": "Stop the mails",
        "stopped_title": "The mails are stopped",
        "stopped_text": "You get no e-mail about this page. You still follow it.",
        "not_following": "You do not follow this page and get no e-mail about it.",
        "resume": "Get mails again",
    },
    User.Language.RUSSIAN: {
        "one_post": "{name}: новая запись",
        "many_posts": "{name}: новые записи ({count})",
        "open": "Открыть запись",
        "why": "Вы получили это письмо, потому что подписаны на эту страницу.",
        "stop_title": "Остановить письма?",
        "stop_text": "Письма об этой странице приходить не будут. Подписка на неё останется.",
        "stop": "Остановить письма",
        "stopped_title": "Письма остановлены",
        "stopped_text": "Письма об этой странице не приходят. Подписка на неё остаётся.",
        "not_following": "Вы не подписаны на эту страницу, и письма о ней не приходят.",
        "resume": "Снова получать письма",
    },
}
