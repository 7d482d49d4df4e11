"""The adapters: implementations of the ports and of input and output, one module or package for each technology."""
