"""A minimal Django site with django-plausible-proxy, set up as docs/clients.md says: `python django_site.py FOLDER`.

Run by `clients/.venv`. FOLDER has the page's snippets as `settings.py`, `urls.py` and `views.py`.
"""

import runpy
import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import path

FOLDER = Path(sys.argv[1])
HOME = "{% load plausible %}<!doctype html><title>Home</title><link rel='icon' href='data:,'>{% plausible %}"


def home(_: HttpRequest) -> HttpResponse:
    """A page with the tag of the package."""
    return HttpResponse(Template(HOME).render(Context()))


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    given = runpy.run_path(str(FOLDER / "settings.py"))
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of a test",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        **{name: value for name, value in given.items() if name.isupper()},
    )
    application = get_wsgi_application()
    signup = runpy.run_path(str(FOLDER / "views.py"))["signup"]
    urlpatterns = [path("", home), path("signup", signup), *runpy.run_path(str(FOLDER / "urls.py"))["urlpatterns"]]
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
