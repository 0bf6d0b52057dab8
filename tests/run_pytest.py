"""Runs pytest on what the command line names; the `main` of Bazel's tests."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:]))
