"""What Schemathesis cannot know of the API: who asks, and which requests end what others need."""

import itertools
import os

import requests
import schemathesis

BASE = os.environ["AURAX_TEST_URL"]
TOKEN = os.environ["AURAX_TEST_TOKEN"]
PASSWORD = "correct horse battery"
NUMBER = itertools.count()


@schemathesis.auth(refresh_interval=None).apply_to(func=lambda ctx: ctx.operation.definition.raw.get("security"))
class Everybody:
    """The token of one account; for what ends an account or a login, one of its own each time."""

    def get(self, case, ctx):
        if case.method.upper() not in ("DELETE", "PATCH") or not case.path.startswith("/auth/"):
            return TOKEN
        email = f"{os.getpid()}-{next(NUMBER)}@example.com"
        body = {"email": email, "password": PASSWORD}
        requests.post(f"{BASE}/auth/register", json=body, timeout=30).raise_for_status()
        answer = requests.post(f"{BASE}/auth/login", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()["access_token"]

    def set(self, case, data, ctx):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
