"""The test accuracy of models with their moving statistics, and with those of batches of 500 test images in their place.

    python bench/peers/accuracy/batch_statistics.py cifar-10-batches-bin MODEL.keras...

The moving statistics lag behind the weights at a high learning rate, and the accuracy with them jumps from epoch to epoch.
With the statistics of the batch it does not: it says how good the weights are.
"""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras
import numpy as np

BATCH = 500


def load(folder, names):
    rows = np.concatenate([np.fromfile(os.path.join(folder, name), np.uint8).reshape(-1, 3073) for name in names])
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype("float32") / 255
    return images, keras.utils.to_categorical(rows[:, 0], 10)


def accuracies(model, x, y):
    """Shares of `x` that `model` classifies as `y` says: with moving statistics, and with those of the batch."""
    weights = model.get_weights()

    def classify(images, training):
        return model(images, training=training)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        classify = tf.function(classify)
    shares = {}
    for name, training in (("moving", False), ("batch", True)):
        outputs = [keras.ops.convert_to_numpy(classify(x[i : i + BATCH], training)) for i in range(0, len(x), BATCH)]
        shares[name] = float(np.mean(np.argmax(np.concatenate(outputs), 1) == np.argmax(y, 1)))
    model.set_weights(weights)  # the second pass has changed the moving statistics
    return shares


if __name__ == "__main__":
    x_train, _ = load(sys.argv[1], [f"data_batch_{i}.bin" for i in range(1, 6)])
    x_test, y_test = load(sys.argv[1], ["test_batch.bin"])
    x_test -= np.mean(x_train, axis=0)
    for file in sys.argv[2:]:
        model = keras.models.load_model(file, compile=False)
        print(json.dumps({"file": file} | accuracies(model, x_test, y_test)), flush=True)
