"""Follows decisions with pycrowdsec's StreamClient, and writes what it holds into a file.

    follow.py URL KEY FILE
"""

import json
import os
import sys
import time

from pycrowdsec.client import StreamClient

url, key, file = sys.argv[1:]
client = StreamClient(
    api_key=key, lapi_url=url, interval=1, scopes=("ip", "range", "country", "as")
)
client.run()
while client.is_running():
    held = {value: kind for value, kind in client.get_current_decisions().items()}
    with open(file + ".new", "w") as out:
        json.dump(held, out)
    os.replace(file + ".new", file)
    time.sleep(0.1)
