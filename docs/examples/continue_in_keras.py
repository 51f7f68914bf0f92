"""Goes on under Keras with a model that Touchstone trained, on all devices of this machine or of many.

    python continue_in_keras.py model.keras data.npz --epochs 2 --out continued.keras

The optimizer goes on with the state in the file. KERAS_BACKEND=jax or tensorflow says how the work is shared out. --devices 2
makes two devices of one CPU, to try it where there is no more.
"""

import argparse
import io
import os
import zipfile

PREPROCESSING = "assets/preprocessing.npz"  # what Touchstone did to pixels; Keras does not carry it on


def strategy_for(devices):
    """What to load and train the model within: must come before anything is computed."""
    if os.environ.get("KERAS_BACKEND") == "jax":
        import jax

        if devices is not None:
            jax.config.update("jax_num_cpu_devices", devices)
        import keras

        distribution = keras.distribution.DataParallel()
        print(f"DataParallel over {distribution.device_mesh.devices.size} devices")
        return distribution.scope()
    import tensorflow as tf

    if devices is not None:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    # on several machines: tf.distribute.MultiWorkerMirroredStrategy(), with TF_CONFIG set on each
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    strategy = tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices(kind)])
    print(f"MirroredStrategy over {strategy.num_replicas_in_sync} devices")
    return strategy.scope()


def read_data(path, preprocessing):
    """x and one-hot y of an .npz; bytes are scaled and centred as they were before."""
    import numpy as np

    with np.load(path) as data:
        x, y = data["x"], data["y"]
    if x.dtype == np.uint8:
        x = (x * (1 / 255)).astype("float32")
    if preprocessing is not None:
        with np.load(io.BytesIO(preprocessing)) as arrays:
            x = x - arrays["mean"] if "mean" in arrays else x
    return x, y if y.ndim == 2 else np.eye(int(y.max()) + 1, dtype="float32")[y.ravel()]


def report(keras, model, x, y):
    steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    loss, accuracy = model.evaluate(x, y, verbose=0)
    print(f"{type(model.optimizer).__name__} after {steps} steps: loss {loss:.4f} accuracy {accuracy:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32, help="of all devices together")
    parser.add_argument("--devices", type=int, help="make so many devices of the CPU")
    parser.add_argument("--out", default="continued.keras")
    options = parser.parse_args()

    scope = strategy_for(options.devices)
    import keras

    with zipfile.ZipFile(options.model) as archive:
        preprocessing = archive.read(PREPROCESSING) if PREPROCESSING in archive.namelist() else None
    x, y = read_data(options.data, preprocessing)
    with scope:
        model = keras.models.load_model(options.model)
        report(keras, model, x, y)
        model.fit(x, y, batch_size=options.batch_size, epochs=options.epochs, verbose=2)
        model.save(options.out)
    # what the file is worth, on one device
    report(keras, keras.models.load_model(options.out), x, y)
    if preprocessing is not None:
        with zipfile.ZipFile(options.out, "a") as archive:
            archive.writestr(PREPROCESSING, preprocessing)


if __name__ == "__main__":
    main()
