from django.contrib import admin
from django.db.models import Q

from innotter.common.admin import ReadOnlyAdmin
from innotter.pages.models import Tag


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    list_display = ("name", "created_at")

    def found_by(self, word: str) -> Q:
        return Q(name__searched=word)
