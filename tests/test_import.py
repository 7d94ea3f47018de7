"""`import hepml_labs` is light: no torch, no matplotlib, under 0.3 s."""

import subprocess
import sys

HEAVY = ("torch", "matplotlib", "scipy", "sklearn", "h5py", "pooch", "IPython")

SCRIPT = f"""
import time
start = time.process_time()
import hepml_labs
print(time.process_time() - start)
import sys
print([name for name in {HEAVY!r} if name in sys.modules])
"""


def test_import_is_light():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    seconds, heavy = run.stdout.splitlines()
    assert float(seconds) < 0.3
    assert heavy == "[]"
