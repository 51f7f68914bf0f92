"""Trains in Keras what `same-batches.mjs` has trained, on the same batches, and says how far apart the two are.

    python bench/peers/accuracy/same_batches.py FOLDER [EVERY [nudged]]

With `nudged`, Keras trains once more, from weights that are off by about one part in ten million each: how far that run
leaves the other is what rounding alone does.
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


def trained(nudge):
    """The model after all batches, and its loss before each; from weights off by `nudge` of themselves."""
    model = load("start.keras")
    random = np.random.default_rng(1)
    for weight in model.trainable_weights if nudge else []:
        value = weight.numpy()
        weight.assign(value * (1 + nudge * random.standard_normal(value.shape)).astype(np.float32))
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(1e-3), metrics=["accuracy"])
    before = []
    for step, (x, y) in enumerate(zip(batches, targets), 1):
        model.reset_metrics()
        before.append(float(model.train_on_batch(x, y)[0]))
        if step % every == 0:
            loss, accuracy = model.evaluate(x_test, y_test, batch_size=100, verbose=0)
            apart = np.subtract(before, losses[:step])[-every:]
            line = {"program": "keras", "nudge": nudge, "step": step, "loss": loss, "accuracy": accuracy}
            line |= {"training loss": np.mean(before[-every:]), "of touchstone": np.mean(losses[:step][-every:])}
            print(json.dumps(line | {"training losses apart": np.max(np.abs(apart))}), flush=True)
    return model, before


model, before = trained(0)
if "nudged" in sys.argv[3:]:
    _, nudged = trained(1e-7)
    for step in sorted({1, 2, 3, 5, 10, 20, 40, every} & set(range(1, len(before) + 1))):
        ours, own = abs(losses[step - 1] - before[step - 1]), abs(nudged[step - 1] - before[step - 1])
        print(f"step {step}: touchstone is {ours:.1e} from Keras, and Keras nudged {own:.1e}")

start, end = load("start.keras"), load("end.keras")
for kind in ("kernel", "gamma", "moving_mean", "moving_variance"):
    values = [[w.numpy() for w in m.weights if w.name == kind] for m in (start, end, model)]
    shares = [np.linalg.norm(ours - keras) / np.linalg.norm(keras - first) for first, ours, keras in zip(*values)]
    print(f"{kind}: apart by {np.median(shares):.3f} of the way that Keras went (median of the layers)")
