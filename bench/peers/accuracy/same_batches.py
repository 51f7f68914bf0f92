"""Trains in Keras what `same-batches.mjs` has trained, on the same batches, and says how far apart the two are.

    python bench/peers/accuracy/same_batches.py FOLDER [EVERY]
"""

import json
import os
import sys

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras
import numpy as np

folder = sys.argv[1]
every = int(sys.argv[2]) if len(sys.argv) > 2 else 40


def read(name, *batch):
    x = np.fromfile(os.path.join(folder, f"{name}.x"), np.float32).reshape(*batch, 32, 32, 3)
    labels = np.fromfile(os.path.join(folder, f"{name}.labels"), np.int32).reshape(*batch)
    return x, keras.utils.to_categorical(labels, 10)


def load(name):
    return keras.models.load_model(os.path.join(folder, name), compile=False)


batches, targets = read("batches", -1, 32)
x_test, y_test = read("test", -1)
with open(os.path.join(folder, "losses.json")) as file:
    losses = json.load(file)
model = load("start.keras")
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(1e-3), metrics=["accuracy"])
apart = []
for step, (x, y) in enumerate(zip(batches, targets), 1):
    model.reset_metrics()
    apart.append(abs(float(model.train_on_batch(x, y)[0]) - losses[step - 1]))
    if step % every == 0:
        loss, accuracy = model.evaluate(x_test, y_test, batch_size=100, verbose=0)
        line = {"program": "keras", "step": step, "loss": loss, "accuracy": accuracy}
        print(json.dumps(line | {"training losses apart": max(apart[-every:])}), flush=True)

start, end = load("start.keras"), load("end.keras")
for kind in ("kernel", "gamma", "moving_mean", "moving_variance"):
    values = [[w.numpy() for w in m.weights if w.name == kind] for m in (start, end, model)]
    shares = [np.linalg.norm(ours - keras) / np.linalg.norm(keras - first) for first, ours, keras in zip(*values)]
    print(f"{kind}: apart by {np.median(shares):.3f} of the way that Keras went (median of the layers)")
