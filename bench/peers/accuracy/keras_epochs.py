"""The Keras example cifar10_resnet on CIFAR-10's binary batches, for the accuracy of each epoch.

    python bench/peers/accuracy/keras_epochs.py resnet20v1 cifar-10-batches-bin keras.jsonl [EPOCHS [SEED]]

Model, optimizer, augmentation and preprocessing are the example's (pixel mean subtracted); its schedule and its reducer on
a plateau change nothing in the first ten epochs. Each epoch adds one line to the file. Keras runs on TensorFlow unless
KERAS_BACKEND says otherwise.
"""

import json
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "..", "..", "fixtures"))
from batch_statistics import accuracies, load
from cifar10_resnet import resnet_v1, resnet_v2

name, folder, out = sys.argv[1:4]
epochs = int(sys.argv[4]) if len(sys.argv) > 4 else 10
seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
depth, version = (int(part) for part in name.removeprefix("resnet").split("v"))
keras.utils.set_random_seed(seed)


class Log(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.time()

    def on_epoch_end(self, epoch, logs=None):
        line = {"model": name, "backend": keras.backend.backend(), "seed": seed, "epoch": epoch + 1}
        line["seconds"] = round(time.time() - self.begin, 1)
        line |= {key: round(float(value), 5) for key, value in logs.items()}
        line |= {f"test_{key}": round(value, 5) for key, value in accuracies(model, x_test - mean, y_test).items()}
        with open(out, "a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)


x_train, y_train = load(folder, [f"data_batch_{i}.bin" for i in range(1, 6)])
x_test, y_test = load(folder, ["test_batch.bin"])
mean = np.mean(x_train, axis=0)
model = (resnet_v1 if version == 1 else resnet_v2)((32, 32, 3), depth)
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(1e-3), metrics=["accuracy"])
augmentation = ImageDataGenerator(
    width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True, fill_mode="nearest"
)
model.fit(
    augmentation.flow(x_train - mean, y_train, batch_size=32),
    validation_data=(x_test - mean, y_test),
    epochs=epochs,
    verbose=0,
    callbacks=[Log()],
)
