"""The Keras example cifar10_resnet on CIFAR-10's binary batches, for the accuracy of each epoch.

    python bench/peers/accuracy/cifar10_resnet.py resnet20v1 cifar-10-batches-bin keras.jsonl [EPOCHS [SEED]]

Model, optimizer, augmentation and preprocessing are the example's (pixel mean subtracted); its schedule and its reducer on
a plateau change nothing in the first ten epochs. Each epoch adds one line to the file.
"""

import json
import os
import sys
import time

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras
import numpy as np
from keras.layers import Activation, AveragePooling2D, BatchNormalization, Conv2D, Dense, Flatten, Input
from keras.regularizers import l2
from keras.src.legacy.preprocessing.image import ImageDataGenerator

name, folder, out = sys.argv[1:4]
epochs = int(sys.argv[4]) if len(sys.argv) > 4 else 10
seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
depth, version = (int(part) for part in name.removeprefix("resnet").split("v"))
keras.utils.set_random_seed(seed)


def load(names):
    rows = np.concatenate([np.fromfile(os.path.join(folder, name), np.uint8).reshape(-1, 3073) for name in names])
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype("float32") / 255
    return images, keras.utils.to_categorical(rows[:, 0], 10)


def resnet_layer(
    x, num_filters=16, kernel_size=3, strides=1, activation="relu", batch_normalization=True, conv_first=True
):
    conv = Conv2D(
        num_filters,
        kernel_size=kernel_size,
        strides=strides,
        padding="same",
        kernel_initializer="he_normal",
        kernel_regularizer=l2(1e-4),
    )
    if conv_first:
        x = conv(x)
    if batch_normalization:
        x = BatchNormalization()(x)
    if activation is not None:
        x = Activation(activation)(x)
    return x if conv_first else conv(x)


def resnet_v1():
    num_filters = 16
    inputs = Input(shape=(32, 32, 3))
    x = resnet_layer(inputs)
    for stack in range(3):
        for block in range((depth - 2) // 6):
            strides = 2 if stack > 0 and block == 0 else 1
            y = resnet_layer(x, num_filters, strides=strides)
            y = resnet_layer(y, num_filters, activation=None)
            if stack > 0 and block == 0:
                x = resnet_layer(x, num_filters, 1, strides, activation=None, batch_normalization=False)
            x = Activation("relu")(keras.layers.add([x, y]))
        num_filters *= 2
    return inputs, x


def resnet_v2():
    num_filters_in = 16
    inputs = Input(shape=(32, 32, 3))
    x = resnet_layer(inputs, num_filters_in)
    for stage in range(3):
        num_filters_out = num_filters_in * (4 if stage == 0 else 2)
        for block in range((depth - 2) // 9):
            first = stage == 0 and block == 0
            strides = 2 if stage > 0 and block == 0 else 1
            y = resnet_layer(x, num_filters_in, 1, strides, None if first else "relu", not first, conv_first=False)
            y = resnet_layer(y, num_filters_in, conv_first=False)
            y = resnet_layer(y, num_filters_out, 1, conv_first=False)
            if block == 0:
                x = resnet_layer(x, num_filters_out, 1, strides, activation=None, batch_normalization=False)
            x = keras.layers.add([x, y])
        num_filters_in = num_filters_out
    return inputs, Activation("relu")(BatchNormalization()(x))


class Log(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.time()

    def on_epoch_end(self, epoch, logs=None):
        line = {"model": name, "seed": seed, "epoch": epoch + 1, "seconds": round(time.time() - self.begin, 1)}
        line |= {key: round(float(value), 5) for key, value in logs.items()}
        with open(out, "a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)


x_train, y_train = load([f"data_batch_{i}.bin" for i in range(1, 6)])
x_test, y_test = load(["test_batch.bin"])
mean = np.mean(x_train, axis=0)
inputs, x = resnet_v1() if version == 1 else resnet_v2()
y = Flatten()(AveragePooling2D(pool_size=8)(x))
model = keras.Model(inputs, Dense(10, activation="softmax", kernel_initializer="he_normal")(y))
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
