"""Links to what is in the page itself."""

from __future__ import annotations

import base64


def link(kind: str, content: bytes) -> str:
    """Args: kind, content: The MIME type, and all of it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
