"""The admin panel as a whole; what is in it stands in the rooms."""

from django.contrib import admin
from django.contrib.auth.models import Group

admin.site.site_title = admin.site.site_header = "Innotter"
admin.site.index_title = "Admin panel"
# Roles are ours.
admin.site.unregister(Group)
