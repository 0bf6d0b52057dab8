"""The page for trying models in a browser: static files and the list of models.

The page itself is in the folder `demo` and asks like any client of REST. Its
files hold no secret, so that they need no token; what they ask for does.
"""

import json
import pathlib
from collections.abc import Mapping

from lgcnet_tf.serving.model_versions import ModelVersions

MODELS_PATH = "/demo/models"
_FOLDER = pathlib.Path(__file__).with_name("demo")
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page_files() -> dict[str, tuple[str, bytes]]:
    """The files of the page by their paths: media type and content."""
    files = {
        f"/demo/{path.name}": (_TYPES[path.suffix], path.read_bytes())
        for path in sorted(_FOLDER.iterdir())
        if path.suffix in _TYPES
    }
    return {"/": files["/demo/index.html"]} | files


def models_json(models: Mapping[str, ModelVersions]) -> bytes:
    """Names and versions of what is served, the newest version first."""
    listed = [
        {"name": name, "versions": sorted(model.versions, reverse=True)}
        for name, model in models.items()
    ]
    return json.dumps({"models": listed}).encode()
