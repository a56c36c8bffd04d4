"""What a WSGI server serves: `granian --interface wsgi portfolio.wsgi:application`.

What is loaded by then stays for good: the garbage collector need not walk over it in the middle of an answer. Nor need
it look for cycles again and again among the values of a long history, which all go with the answer.
"""

from __future__ import annotations

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

ALLOCATIONS_A_COLLECTION = 50_000

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portfolio.settings")
application = get_wsgi_application()
gc.collect()
gc.freeze()
gc.set_threshold(ALLOCATIONS_A_COLLECTION)

from django.conf import settings  # noqa: E402 - the settings are named above

if settings.SECRET_KEY_IS_EPHEMERAL:
    # Sessions signed by one process would be strangers to the next.
    sys.exit("SECRET_KEY is not set: put a long random one into the environment, the same for every process.")
