"""Kernels forked from a warm process behave as others do."""

import sys

import nbclient
import pytest
from jupyter_client.provisioning import local_provisioner
from nbformat.v4 import new_code_cell, new_notebook

from hepml_labs import warm_kernels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    monkeypatch.setattr(warm_kernels, "PRELOADED", ["fractions"])  # enough to see it, and quick
    monkeypatch.setattr(local_provisioner, "launch_kernel", warm_kernels.WarmKernel)


def run(*sources, **options):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    nbclient.NotebookClient(notebook, kernel_name="python3", **options).execute()
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]


def test_a_kernel_is_warm_and_knows_nothing_of_the_one_before(monkeypatch, tmp_path):
    monkeypatch.setenv("HEPML_SCALE", "smoke")
    look = "import os, sys\nprint('fractions' in sys.modules, 'secret' in globals(), os.environ['HEPML_SCALE'])"
    assert run(look, "secret = 1\nos.environ['HEPML_SCALE'] = 'full'")[0] == "True False smoke\n"
    where = run(look, "print(os.getcwd())", resources={"metadata": {"path": str(tmp_path)}})
    assert where == ["True False smoke\n", f"{tmp_path}\n"]


def test_errors_time_limits_and_deaths_are_seen():
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="ZeroDivisionError"):
        run("1 / 0")
    with pytest.raises(nbclient.exceptions.CellTimeoutError):
        run("import time", "time.sleep(60)", timeout=1)
    with pytest.raises(nbclient.exceptions.DeadKernelError):
        run("import os\nos._exit(3)")
