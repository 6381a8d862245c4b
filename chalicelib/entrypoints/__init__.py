"""The doors: HTTP, schedules, streams. With `app.py` the only place that knows Chalice."""
