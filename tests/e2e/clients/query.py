"""Asks about addresses with pycrowdsec's QueryClient: a JSON object of what each call gave.

    query.py URL KEY ADDRESS...
"""

import json
import sys

from pycrowdsec.client import QueryClient

url, key, *addresses = sys.argv[1:]
client = QueryClient(api_key=key, lapi_url=url)
told = {}
for address in addresses:
    for name in ("get_decisions_for", "get_action_for"):
        try:
            gave = getattr(client, name)(address)
        except Exception as error:
            gave = type(error).__name__
        told[f"{name} {address}"] = gave
print(json.dumps(told))
