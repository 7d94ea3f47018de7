"""Kernels that start warm, for builds that run many notebooks: ``pytest --nbmake -p hepml_labs.warm_kernels``.

Half of the time of a small notebook goes into importing PyTorch and its like. Here the fork server of
:mod:`multiprocessing`, a process of its own that runs nothing else, imports these packages once, and every kernel is a
fork of it: fresh in everything that is ours, with nothing in its namespace. Only on Linux, where such forks are safe;
elsewhere the plugin does nothing and kernels start as they always do.
"""

import functools
import multiprocessing
import os
import sys
import time

from jupyter_client.provisioning import local_provisioner

#: Packages of others that most notebooks need; none that changes the filters of warnings, as awkward does.
#: torch._dynamo is what the first optimiser imports.
PRELOADED = ["ipykernel.kernelapp", "ipykernel.debugger", "matplotlib.pyplot", "scipy.stats", "sklearn.ensemble"]
PRELOADED += ["sklearn.linear_model", "torch._dynamo", "lightning_fabric", "h5py", "requests"]


@functools.cache
def _server():
    """Start the fork server and wait until it is warm: a kernel has a minute to answer, a busy machine may need it."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    first = server.Process(target=int)
    first.start()
    first.join()
    return server


def _run(arguments, environment, folder):
    """Become a kernel, in the forked process."""
    os.setsid()  # a process group of its own: Jupyter signals the group
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    from ipykernel.kernelapp import launch_new_instance

    # the kernel ends with the fork server, which ends with the process that asked for it
    launch_new_instance(argv=[*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


class WarmKernel:
    """A kernel forked from the warm process; in its methods, what Jupyter uses of :class:`subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, command, env=None, cwd=None, **unused):
        arguments = command[command.index("-f") :]  # without `python -m ipykernel_launcher`
        environment = dict(os.environ if env is None else env)
        self._process = _server().Process(target=_run, args=(arguments, environment, os.fspath(cwd or os.getcwd())))
        self._process.start()
        self.pid = self._process.pid
        while os.getpgid(self.pid) != self.pid:  # before that, a signal to the group would reach us
            time.sleep(0.005)

    def poll(self):
        """Return the exit status, or None while the kernel runs."""
        return self._process.exitcode

    def wait(self):
        """Wait for the end and return the exit status."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number):
        """Send a signal."""
        os.kill(self.pid, number)

    def terminate(self):
        """Ask the kernel to end."""
        self._process.terminate()

    def kill(self):
        """End the kernel."""
        self._process.kill()


def pytest_configure(config):
    """Let the kernels of this process, or of this worker, start warm."""
    if sys.platform == "linux":
        # matplotlib and the debugger read these when they are imported, which is before a kernel could set them
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        local_provisioner.launch_kernel = WarmKernel
