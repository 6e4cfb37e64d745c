#!/usr/bin/env bash
# s3fs 2026.9.0: cat_file of a known range sends a HEAD before each GET.
#
# Expected: cat_file(path, start, end), with both ends given and none of them negative, needs the range
#   alone: one request.
# Happens: the size of the object is asked for first, each time, also of an object that was listed or read
#   a moment ago. Who reads a million pictures out of large tar files by their places sends two million
#   requests, and waits for each twice. With max_concurrency=1 only the GET is sent.
#
# Seen with s3fs 2026.9.0, moto 5.2.5, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    s3fs==2026.9.0 fsspec==2026.9.0 'moto[s3]==5.2.5' flask==3.1.3 flask-cors==6.0.5
cat > "$folder/read.py" <<'PYTHON'
import collections
import os

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}
import s3fs
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
asked = collections.Counter()
found = {}
for name, options in (("default", {}), ("max_concurrency=1", {"max_concurrency": 1})):
    place = s3fs.S3FileSystem(
        endpoint_url=f"http://{host}:{port}", skip_instance_cache=True, **options
    )
    if not place.exists("bucket"):
        place.mkdir("bucket")
    place.pipe("bucket/shard.tar", bytes(range(256)) * 64)
    place.info("bucket/shard.tar")
    asked.clear()
    events = place.s3.meta.events

    def noted(params, model, **_):
        asked[model.name] += 1

    events.register("before-call.s3", noted)
    assert place.cat_file("bucket/shard.tar", start=256, end=260) == bytes(range(4))
    found[name] = dict(asked)
    print(f"{name}: {found[name]}")
server.stop()
assert found["max_concurrency=1"] == {"GetObject": 1}, "the check itself is wrong"
assert found["default"] == {"HeadObject": 1, "GetObject": 1}, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/read.py"
