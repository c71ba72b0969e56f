from typing import ClassVar

from django.contrib import admin

from innotter.common.admin import ReadOnlyAdmin
from innotter.pages.models import Tag


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    list_display = ("name", "created_at")
    search_fields: ClassVar = ["name__searched"]
