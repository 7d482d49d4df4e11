"""What several adapters need of the Linux kernel: processes, their marks, sockets and users."""
