"""The targets of the agent. They are printed next to the figures, never asserted.

Most are ratios, which are valid on any machine. The baseline does less than an agent has to do, so that a target
relative to it is an acceptable distance.
"""

TARGETS: dict[tuple[str, str], str] = {
    ("1 connection", "p50_ms"): "baseline <= 1.15",
    ("1 connection", "own_cpu_us"): "go <= 1.00",
    ("8 connections", "tasks_per_s"): "go >= 1.10, baseline >= 0.85",
    ("8 connections", "own_cpu_us"): "go <= 1.00",
    ("64 connections", "tasks_per_s"): "go >= 1.10, baseline >= 0.85",
    ("64 connections", "own_cpu_us"): "go <= 1.00",
    ("output", "text_mb_per_s"): "go >= 2.00",
    ("output", "peak_above_idle_mb"): "64 MiB at most",
    ("parallel", "plateau_kib_per_task"): "30 KiB at most",
    ("timeouts", "late_p50_ms"): "10 ms at most",
    ("timeouts", "late_p99_ms"): "30 ms at most",
    ("ending", "answered_s"): "3 s at most",
    ("ending", "blocked_ms"): "50 ms at most",
    ("starting", "blocked_ms"): "50 ms at most",
    ("start", "connected_ms"): "400 ms at most",
}
"""By case and figure."""
