"""The starter: a program that starts others for one worker, each in a process that becomes the worker's own child.

It is the agent's own Python with few imports (`python -I -S`), accesses no file once it runs, and ends when the worker
ends. Each child forks once more and ends, so that the grandchild becomes a child of the worker, which is a child
subreaper (prctl(2)): even a leader whose start takes hours is killed, reaped and identified by its mark like any other.
"""

import _socket
import errno
import os

from .start_failure import describe_failure
from .task_process import Reporter, become_task

_DESCRIPTORS = 3
_INT_BYTES = 4


def main(orders_descriptor: int, worker: int) -> None:
    """Execute orders until the worker closes its end; each consists of a channel, a stdout and the order's file."""
    orders = _socket.socket(fileno=orders_descriptor)
    space = _socket.CMSG_SPACE(_DESCRIPTORS * _INT_BYTES)
    while True:
        data, ancillary, _, _ = orders.recvmsg(1, space, _socket.MSG_CMSG_CLOEXEC)
        if not data:
            orders.close()
            return
        received = [descriptor for _, _, items in ancillary for descriptor in memoryview(items).cast("i")]
        if len(received) == _DESCRIPTORS:
            _start(orders, received, worker)
        # Otherwise not all descriptors were received; to the worker, end-of-file of the channel means a failed start.
        for descriptor in received:
            os.close(descriptor)


def _start(orders: _socket.socket, received: list[int], worker: int) -> None:
    descriptor, stdout, order_file = received
    channel = _socket.socket(fileno=descriptor)
    reporter = Reporter(channel)
    try:
        if fork_child_of_worker():
            orders.close()
            run_task(reporter, stdout, order_file, worker)
    except OSError as error:
        _report(reporter, error)
    channel.detach()


def run_task(reporter: Reporter, stdout: int, order_file: int, worker: int) -> None:
    """Execute the ordered program, or report why that failed and end; never return."""
    try:
        if os.getppid() == worker:
            become_task(reporter, stdout, order_file, worker)
    except Exception as error:  # noqa: BLE001 -- without a report the worker would assume that it was executed
        _report(reporter, error)
    finally:
        os._exit(1)


def fork_child_of_worker() -> bool:
    """Return False here, and True in a new child of the worker; raises OSError here if that cannot be made."""
    reading, writing = os.pipe()
    intermediate = _fork_or_close(reading, writing)
    if intermediate == 0:
        _fork_and_end()
        os.close(writing)
        os.read(reading, 1)  # end-of-file: the intermediate process has ended, and the worker is the parent now
        os.close(reading)
        return True
    os.close(reading)
    _, status = os.waitpid(intermediate, 0)
    os.close(writing)
    number = os.waitstatus_to_exitcode(status)
    if number:
        raise OSError(abs(number), os.strerror(abs(number)))
    return False


def _fork_or_close(*descriptors: int) -> int:
    try:
        return os.fork()
    except OSError:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def _fork_and_end() -> None:
    """Return in a new process; this one ends."""
    try:
        if os.fork():
            os._exit(0)
    except OSError as error:
        os._exit(error.errno or errno.EAGAIN)


def _report(reporter: Reporter, error: Exception) -> None:
    if isinstance(error, MemoryError):
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    reason = describe_failure(error, b"") if isinstance(error, OSError) else repr(error)
    try:
        reporter.fail(b"", reason)
    except OSError:
        return  # the worker has closed the channel
