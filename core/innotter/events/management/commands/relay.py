import signal
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from innotter.common.metrics import Disk, serve_metrics
from innotter.events.metrics import OutboxFigures, QueueFigures
from innotter.events.relay import run_relay


class Command(BaseCommand):
    help = "Publishes events from the outbox to RabbitMQ until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        serve_metrics(OutboxFigures(), QueueFigures(settings.AMQP_URL), Disk())
        run_relay(
            amqp_url=settings.AMQP_URL,
            reactions=import_string(settings.OUTBOX_REACTIONS),
            stop=stop,
        )
