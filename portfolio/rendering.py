"""Large answers as JSON, quickly: the same document as Django REST Framework's own renderer makes, by msgspec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer


class QuickJSONRenderer(JSONRenderer):
    """JSON from plain values, dates and moments; what it does not know is given as its text."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """The document in UTF-8; indented where the media type asks for it."""
        context = dict(renderer_context or {})
        if data is None or self.get_indent(accepted_media_type or "", context):
            return bytes(super().render(data, accepted_media_type, context))
        return _encoder.encode(data)


def _as_text(value: Any) -> str:
    # Never a subclass of str, which would come here again.
    return f"{value}"


_encoder = msgspec.json.Encoder(enc_hook=_as_text)
QUICK_RENDERERS = [QuickJSONRenderer, BrowsableAPIRenderer]
