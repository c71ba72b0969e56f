"""The core of Innotter: users, pages, posts, the feed, and the events that tell of them."""
