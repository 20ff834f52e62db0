"""What every answer carries: which sources a page may use, and who may frame it."""

from __future__ import annotations

from flask import Response, request

# No inline script or style, nothing from another host; the authenticator's picture is a data address.
POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def seal(response: Response) -> Response:
    """Put the headers on; a page that set its own policy keeps it."""
    response.headers.setdefault("Content-Security-Policy", POLICY)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if response.mimetype == "text/html":
        # What one person saw must not be shown to the next who uses this browser.
        response.headers.setdefault("Cache-Control", "no-store")
    return response
