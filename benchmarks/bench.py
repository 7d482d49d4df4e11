#!/usr/bin/env python3
"""Compare the agent with the reference servers, and print the figures; see README.md in this folder."""

from harness.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
