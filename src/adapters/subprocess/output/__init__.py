"""Captures the output of commands: from their pipes to memory or to files, without losing a byte."""
