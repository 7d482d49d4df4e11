"""Ends a task early, by one call for all callers and all stages of the task. The first verdict stays."""

from collections.abc import Callable

from .outcome import Outcome


class TaskControl:
    """Is passed with one request through the ports; its callers end the task early by `stop`.

    `verdict` is why the task is being ended, None until `stop` is called. A task that has not been started by then is
    never started. The component that handles the task at the moment (a queue, the executor) sets `on_stop`, and resets
    it when it passes the task on. `on_stop` is called with the grace of each stop, also if that is not the first. While
    `on_stop` is None, a stop is only recorded: a component that takes the task over checks `verdict`.

    `client` identifies the client: any object that is the same one for all requests of a client. Queues serve clients
    in round-robin order.
    """

    __slots__ = ("client", "on_stop", "pid", "request_id", "verdict")

    def __init__(self, client: object = None, request_id: object = None) -> None:
        """Start without a stop; `request_id` is the id that the client has given, for the log."""
        self.client = client
        self.request_id = request_id
        # The pid of its first process, once it has been started.
        self.pid: int | None = None
        self.verdict: Outcome | None = None
        self.on_stop: Callable[[float], object] | None = None

    def stop(self, verdict: Outcome, grace: float = 0.0) -> None:
        """End the task. Its outcome is the first verdict, unless the task has ended by itself by then.

        `grace` is in seconds. The process group of the task gets SIGTERM. All remaining processes of the task get
        SIGKILL when the grace is over, or as soon as no process of the group is alive. A grace of 0 sends SIGKILL at
        once. Of several stops, the grace that ends first counts. Returns at once; the result is returned as usual, at
        the end of the task, as TaskExecutor describes it.
        """
        if self.verdict is None:
            self.verdict = verdict
        if self.on_stop is not None:
            self.on_stop(grace)
