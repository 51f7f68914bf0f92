"""Answers requests on standard input: what a Python peer computes, through .npz.

A request is a line of JSON: {"operation", "args", "operands": path, "results": path}. The operands are read, the results
written, and the line answered with {"ok": true}, {"notOffered": why} or {"error": text}. The first line that is written
says who answers: {"version", "runsOn", "operations": [...], "notOffered": {...}}.
"""

import json
import sys

import numpy as np


class NotOffered(Exception):
    """The peer has no such operation with these arguments."""


def pair(value, otherwise=(1, 1)):
    """Two numbers, of an argument that may be missing or one number."""
    if value is None:
        return tuple(otherwise)
    return (value, value) if isinstance(value, int) else tuple(value)


def zeros_around(size, window, stride, dilation=1):
    """Zeros before and after one axis, as TensorFlow's SAME has them."""
    span = (window - 1) * dilation + 1
    total = max(0, (-(-size // stride) - 1) * stride + span - size)
    return total // 2, total - total // 2


def serve(version, runs_on, operations, not_offered):
    """Answers until the input ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    answer({"version": version, "runsOn": runs_on, "operations": list(operations), "notOffered": not_offered})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            with np.load(request["operands"]) as archive:
                operands = {name: archive[name] for name in archive.files}
            results = operations[request["operation"]](operands, request["args"])
            np.savez(request["results"], **{name: np.asarray(value) for name, value in results.items()})
            answer({"ok": True})
        except NotOffered as reason:
            answer({"notOffered": str(reason)})
        except Exception as error:  # whatever goes wrong in a peer is an answer
            answer({"error": f"{type(error).__name__}: {str(error)[:300]}"})
