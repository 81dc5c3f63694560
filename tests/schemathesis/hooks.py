"""What schemathesis must know beyond the OpenAPI document: how to sign in, and ids that exist.

Read by way of SCHEMATHESIS_HOOKS. From the environment: MUONG_URL, MUONG_LOGIN, MUONG_PASSWORD, and MUONG_TALLY, a file
that gets how often each operation was answered with each status, for whoever asks whether anything was tried at all.
"""

import atexit
import collections
import itertools
import json
import os
import urllib.error
import urllib.request
import uuid

import schemathesis
from hypothesis import strategies as st

URL = os.environ["MUONG_URL"]
TALLY = collections.defaultdict(collections.Counter)


def ask(path, body=None, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = "Bearer " + token
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(URL + path, data, headers)) as answer:
        return json.load(answer)


class Session:
    """One user on one device. Some operations end it: then the next one begins, on a device of its own."""

    def __init__(self):
        self.token = self.device = None

    def ensure(self):
        if self.token is None:
            who = {"username": os.environ["MUONG_LOGIN"], "password": os.environ["MUONG_PASSWORD"]}
            signed_in = ask("/v1/auth/sign-in", {**who, "device": {"name": "schemathesis"}})
            self.token, self.device = signed_in["access_token"], signed_in["device"]["id"]
        return self.token


SESSION = Session()


def known_ids():
    """A few ids of each kind that this user may see."""
    lists = {
        "units": "/v1/units?limit=3",
        "users": "/v1/users?limit=3",
        "grants": "/v1/grants?limit=3",
        "records": "/v1/records?limit=3",
        "conflicts": "/v1/conflicts?limit=3",
        "quarantine": "/v1/quarantine?limit=3",
    }
    ids = {}
    for kind, path in lists.items():
        try:
            found = ask(path, token=SESSION.ensure())
        except urllib.error.HTTPError:
            continue
        rows = next((rows for rows in found.values() if isinstance(rows, list)), [])
        ids[kind] = [{"id": row["id"]} for row in rows if "id" in row]
    # Not the devices and sessions that are asked by, which would end.
    ids["forms"] = [{"code": "branch_meeting"}]
    return ids


IDS = known_ids()
UNIT = ask("/v1/me", token=SESSION.ensure())["grants"][0]["unit"]["id"]
NUMBERS = itertools.count(1)


@schemathesis.hook
def before_generate_path_parameters(context, strategy):
    """Every other path leads to something that is there."""
    path = context.operation.path
    known = IDS.get(path.split("/")[2]) if "{" in path else None
    if known and path.endswith("/versions/{version}"):
        known = [{**form, "version": 1} for form in known]
    return st.one_of(strategy, st.sampled_from(known)) if known else strategy


def is_id(value):
    try:
        return str(uuid.UUID(value)) == value
    except (AttributeError, TypeError, ValueError):
        return False


@schemathesis.hook
def before_call(context, case, kwargs):
    """What is well-formed is about what is there; otherwise everything would end at its first id. What is malformed is
    left as it is."""
    body = case.body
    if not isinstance(body, dict):
        return
    SESSION.ensure()
    if case.path in ("/v1/sync/push", "/v1/submissions"):
        speak_for_oneself(case.path, body)
    elif case.path == "/v1/sync/pull":
        wait_for_nothing(body)
    else:
        administer_what_is_there(body)


def wait_for_nothing(body):
    """Neither for something new nor for what will never be."""
    for member, below in (("wait_s", 1), ("at_least", 3)):
        if isinstance(body.get(member), int):
            body[member] %= below


def administer_what_is_there(body):
    """Grants over one's own unit for somebody who is there, units below it."""
    if IDS.get("users") and is_id(body.get("user")):
        body["user"] = IDS["users"][-1]["id"]
    given = body.get("grants")
    for part in [body, *(given if isinstance(given, list) else [])]:
        if isinstance(part, dict):
            part.update({name: UNIT for name in ("unit", "parent") if is_id(part.get(name))})


def speak_for_oneself(path, body):
    """For the device that signed in, of its user's unit, and in the order of its numbers."""
    if is_id(body.get("device")):
        body["device"] = SESSION.device
    said = body.get("submissions") if path == "/v1/sync/push" else [body]
    for submission in said if isinstance(said, list) else []:
        if isinstance(submission, dict) and is_id(submission.get("unit")):
            submission["unit"] = UNIT
            if isinstance(submission.get("n"), int):
                submission["n"] = next(NUMBERS)


@schemathesis.auth()
class Bearer:
    def get(self, case, context):
        return SESSION.ensure()

    def set(self, case, data, context):
        # Never the one of the moment at which the case was made: that session may have ended.
        case.headers = case.headers or {}
        case.headers["authorization"] = "Bearer " + SESSION.ensure()


@schemathesis.hook
def after_call(context, case, response):
    TALLY[f"{case.method} {case.path}"][response.status_code] += 1
    # Some cases leave the token out on purpose; that ends nothing.
    if response.status_code == 401 and response.request.headers.get("authorization") == f"Bearer {SESSION.token}":
        SESSION.token = None


@atexit.register
def write_tally():
    with open(os.environ["MUONG_TALLY"], "w", encoding="utf-8") as file:
        json.dump({name: dict(sorted(counts.items())) for name, counts in sorted(TALLY.items())}, file, indent=1)
