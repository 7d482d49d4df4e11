"""How a task is ended early: one call, whoever makes it and however far the task has come. The first verdict stays."""

from collections.abc import Callable

from .outcome import Outcome


class TaskControl:
    """Goes with one request on its way through the ports, and is the only way to end its task early.

    `verdict` is why the task is being ended, None as long as nobody wants that. A task that has not been started by
    then is never started. Whoever holds the task at the moment (a queue, the executor) sets `on_stop` and takes it
    back when it lets go of the task; it is called with the grace of every order, also when that is not the first.

    `client` is whose task it is: any object that is the same one for all requests of a client. Where tasks have to
    wait, clients take turns.
    """

    __slots__ = ("client", "on_stop", "pid", "request_id", "verdict")

    def __init__(self, client: object = None, request_id: object = None) -> None:
        """Let the task run to its own end; `request_id` is what its client calls it, for the log."""
        self.client = client
        self.request_id = request_id
        # Of its first process, once it has been started.
        self.pid: int | None = None
        self.verdict: Outcome | None = None
        self.on_stop: Callable[[float], object] | None = None

    def stop(self, verdict: Outcome, grace: float = 0.0) -> None:
        """End the task, which is answered with the first verdict that was given, unless it has ended by itself by then.

        `grace` is seconds: its process group gets SIGTERM, and all that is left of the task SIGKILL when they are over,
        and at once when no process of the group is alive any more. 0 is SIGKILL at once. Of several orders the grace
        that is over first counts. Returns at once; the answer comes where it always does, when nothing is left.
        """
        if self.verdict is None:
            self.verdict = verdict
        if self.on_stop is not None:
            self.on_stop(grace)
