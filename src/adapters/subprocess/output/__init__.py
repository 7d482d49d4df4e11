"""Where the output of commands goes: from their pipes to memory or to files, without losing a byte."""
