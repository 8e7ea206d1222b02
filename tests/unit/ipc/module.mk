# Unit tests of ipc.
