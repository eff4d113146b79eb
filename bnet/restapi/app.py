"""The routes as an application of Flask, which a server of its own process calls; who may ask is decided before."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, NotFound

from bnet import __version__
from bnet.errors import Invalid
from bnet.restapi.document import document
from bnet.restapi.routes import ROUTES, Asked, Network, NotThere, Route

BASE = "/api/v1"


def application(network: Network) -> Flask:
    """Return the application; a `BnetError` leaves it as it is, for the server to tell."""
    app = Flask("bnet", static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    for route in ROUTES:
        path = BASE + route.path.replace("{number}", "<int:number>").replace("{", "<").replace("}", ">")
        app.add_url_rule(path, route.name, _view(route, network), methods=[route.method])
    app.add_url_rule(f"{BASE}/openapi.json", "document", lambda: jsonify(document(__version__)))
    app.register_error_handler(HTTPException, _told)
    return app


def _view(route: Route, network: Network) -> Callable[..., Response]:
    def view(**path: Any) -> Response:
        body = _body() if route.takes else {}
        try:
            return jsonify(route.does(network, Asked(path, request.args.to_dict(), body)))
        except NotThere:
            raise NotFound("there is no such thing") from None

    return view


def _body() -> dict[str, Any]:
    if not request.data:
        return {}
    try:
        found = request.get_json(force=True, silent=True)
    except RecursionError:  # thousands of brackets
        found = None
    if not isinstance(found, dict):
        raise Invalid("takes an object in JSON", file="the request")
    return found


def _told(error: HTTPException) -> tuple[Response, int]:
    status = error.code or 500
    return jsonify({"error": error.description or error.name, "hint": f"{BASE}/openapi.json"}), status
