"""`python -m sidecar.capture`."""

from sidecar.capture.main import run

if __name__ == "__main__":
    run()
