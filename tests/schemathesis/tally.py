"""Whether an exploration tried anything: of every operation, something must have been answered otherwise than 401.

Arguments: a login, and the file that hooks.py has written.
"""

import json
import sys

login, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    tally = json.load(file)
# 405 is for the methods that the document does not have.
inside = [name for name, counts in tally.items() if set(counts) - {"401", "405"}]
good = [name for name, counts in tally.items() if any(status.startswith("2") for status in counts)]
total = sum(sum(counts.values()) for counts in tally.values())
print(f"{login}: {total} requests to {len(inside)} operations, {len(good)} of which were answered well")
# A token that is not believed, or a demo without records, would leave next to nothing to look at.
if total < 2000 or len(inside) < 50 or len(good) < 22:
    sys.exit(f"{login}: too little was tried")
