"""Interrupt a function that does not come back, on every operating system and in Jupyter's main thread."""

import _thread
import signal
import threading


class TimeLimitExceeded(BaseException):
    """The function took longer than it was allowed.

    Not an `Exception`, so that `except Exception:` inside of an endless loop does not swallow it.
    """


def _interrupt_main_thread():
    # A real signal also wakes up a sleeping main thread; Windows has none and gets the simulated one.
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        _thread.interrupt_main()


def run_limited(function, seconds):
    """Call a function and interrupt it when it takes too long.

    A timer thread sends the main thread the signal of Ctrl-C; while the function runs, a handler tells the timer's
    signal from the user's, which is passed on. Limits: a single long call into compiled code is interrupted only when
    it comes back to Python, and outside of the main thread there is no time limit at all.

    Parameters
    ----------
    function : callable
        Called without arguments.
    seconds : float
        Wall-clock time allowed.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    TimeLimitExceeded
        When the time was up.

    Examples
    --------
    >>> run_limited(lambda: 6 * 7, seconds=5.0)
    42
    >>> def forever():
    ...     while True:
    ...         pass
    >>> run_limited(forever, seconds=0.2)
    Traceback (most recent call last):
    ...
    hepml_labs.teaching.time_limit.TimeLimitExceeded
    """
    if threading.current_thread() is not threading.main_thread():
        return function()

    running, expired, finished = True, False, threading.Event()

    def on_signal(number, frame):
        if not expired:
            return user_handler(number, frame) if callable(user_handler) else signal.default_int_handler(number, frame)
        if running:
            raise TimeLimitExceeded

    def watch():
        nonlocal expired
        if finished.wait(seconds):
            return
        expired = True
        _interrupt_main_thread()
        # once more every half second, in case the function caught the first one
        while not finished.wait(0.5):
            _interrupt_main_thread()

    user_handler = signal.signal(signal.SIGINT, on_signal)
    watcher = threading.Thread(target=watch, daemon=True)
    try:
        try:
            watcher.start()  # in here: on a busy machine a short limit is over before this returns
            return function()
        finally:
            running = False
    finally:
        running = False  # again: a signal may have come before the first of these lines
        finished.set()
        watcher.join()  # after this no late signal can reach the user's own handler
        signal.signal(signal.SIGINT, user_handler)
