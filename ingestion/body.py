"""The body of a request: its bytes as they came, its media type, its content; each within a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import parse_header_parameters
from rest_framework.request import Request

from ingestion.formats import UTF8_MARK, unpacked
from portfolio.problems import Malformed, TooLarge, UnsupportedType

ENCODINGS = ("", "identity", "gzip")


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries, still packed."""

    raw: bytes
    media_type: str
    encoding: str

    def content(self) -> bytes:
        """The bytes without their encoding. Raises UnsupportedType, formats.Unreadable, formats.TooMuch."""
        if self.encoding not in ENCODINGS:
            raise UnsupportedType(f"The content encoding {self.encoding} is not read here; gzip is, or none.")
        if self.encoding == "gzip":
            return unpacked(self.raw, bytes_max=settings.INGEST_BODY_BYTES_MAX).removeprefix(UTF8_MARK)
        return self.raw.removeprefix(UTF8_MARK)


def received(request: HttpRequest | Request, media_types: tuple[str, ...]) -> Body:
    """The body of a request. Raises UnsupportedType, TooLarge, Malformed."""
    content_type = request.META.get("CONTENT_TYPE", "")
    media_type, parameters = parse_header_parameters(content_type) if ";" in content_type else (content_type, {})
    media_type = media_type.strip().lower()
    if media_type not in media_types:
        raise UnsupportedType(f"{media_type or 'A body without a type'} is not read here; {', '.join(media_types)} is.")
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedType(f"The character set {charset} is not read here; UTF-8 is.")
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    return Body(_bytes(request), media_type, encoding)


def _bytes(request: HttpRequest | Request) -> bytes:
    bytes_max: int = settings.INGEST_BODY_BYTES_MAX
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError as error:
        raise Malformed("Content-Length is not a number.") from error
    if length > bytes_max:
        raise TooLarge(f"The body has {length:,} bytes; one request carries {bytes_max:,} at most.")
    if request.META.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        # A body of unannounced length: Django reads nothing of it, the server's own stream ends where it ends.
        if not request.META.get("wsgi.input_terminated"):
            raise Malformed("This server reads a body only with its Content-Length.")
        stream: Any = request.META["wsgi.input"]
        body = bytes(stream.read(bytes_max + 1))
        if len(body) > bytes_max:
            raise TooLarge(f"The body has more than {bytes_max:,} bytes; one request carries no more.")
        return body
    return bytes(request.body)
