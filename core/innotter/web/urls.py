"""Every address of the site; site.md of the design names them."""

from django.urls import path, re_path

from innotter.web.views import (
    account,
    feed,
    links,
    moderation,
    outside,
    pages,
    people,
    posts,
    search,
    statistics,
)

UUID = r"@(?P<uuid>[A-Za-z0-9_-]{1,30})"
USERNAME = r"(?P<username>[A-Za-z0-9_.-]{1,30})"
PERSON = f"u/{USERNAME}"
POST = UUID + r"/(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

urlpatterns = [
    path("", feed.home),
    path("register", account.register),
    path("login", account.log_in),
    path("login/again", account.confirm_password),
    path("logout", account.log_out),
    path("password/reset", links.request_reset),
    # Whatever follows: what is cut or has a dot too many is a token that is none.
    re_path(r"^password/reset/(?P<token>.+)$", links.reset_password),
    re_path(r"^confirm/(?P<token>.+)$", links.confirm_email),
    re_path(r"^undo/(?P<token>.+)$", links.undo_email),
    path("settings", account.settings),
    path("feed/new", feed.new),
    path("search", search.search),
    path("search/suggestions", search.suggestions),
    path("likes", people.likes),
    path("pages", pages.mine),
    path("pages/new", pages.new),
    re_path(rf"^{UUID}$", pages.page),
    re_path(rf"^{UUID}\.atom$", outside.atom),
    re_path(rf"^{UUID}/edit$", pages.edit),
    re_path(rf"^{UUID}/delete$", pages.delete),
    re_path(rf"^{UUID}/follow$", pages.follow),
    re_path(rf"^{UUID}/unfollow$", pages.unfollow),
    re_path(rf"^{UUID}/followers$", pages.followers),
    re_path(rf"^{UUID}/followers/{USERNAME}/remove$", pages.remove_follower),
    re_path(rf"^{UUID}/requests$", pages.requests),
    re_path(rf"^{UUID}/statistics$", statistics.statistics),
    re_path(rf"^{UUID}/statistics\.svg$", statistics.chart),
    re_path(rf"^{UUID}/block$", moderation.block_page),
    re_path(rf"^{UUID}/unblock$", moderation.unblock_page),
    re_path(rf"^{POST}$", posts.post),
    re_path(rf"^{POST}/like$", posts.like),
    re_path(rf"^{POST}/unlike$", posts.unlike),
    re_path(rf"^{POST}/edit$", posts.edit),
    re_path(rf"^{POST}/delete$", posts.delete),
    re_path(rf"^{PERSON}$", people.person),
    re_path(rf"^{PERSON}/block$", moderation.block_user),
    re_path(rf"^{PERSON}/unblock$", moderation.unblock_user),
    re_path(rf"^{PERSON}/role$", moderation.role),
    path("moderation", moderation.overview),
    path("about", outside.text, {"name": "about"}),
    path("privacy", outside.text, {"name": "privacy"}),
    path("terms", outside.text, {"name": "terms"}),
    path("robots.txt", outside.robots),
    path("favicon.ico", outside.favicon),
    path("manifest.webmanifest", outside.manifest),
    re_path(r"^unsubscribe/(?P<token>[A-Za-z0-9_.-]+)$", outside.unsubscribe),
    path("oembed", outside.oembed),
    path(".well-known/change-password", outside.change_password),
]
