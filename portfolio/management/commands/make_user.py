"""`manage.py make_user NAME`: a user with a made-up password and a token, each said once."""

from __future__ import annotations

import json
import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandParser
from rest_framework.authtoken.models import Token


class Command(BaseCommand):
    """Make a user who can log in and call the API."""

    help = (
        "Makes a user with a made-up password and an API token, and prints both as JSON. A user there is keeps theirs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--superuser", action="store_true", help="may do everything")

    def handle(self, *_args: Any, **options: Any) -> None:
        user, made = User.objects.get_or_create(username=options["name"])
        password = secrets.token_urlsafe(15) if made else None
        if password:
            user.set_password(password)
            user.is_staff = user.is_superuser = options["superuser"]
            user.save()
        token, _ = Token.objects.get_or_create(user=user)
        self.stdout.write(json.dumps({"username": user.get_username(), "password": password, "token": token.key}))
